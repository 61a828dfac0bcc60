"""What a bulk lane inserts: which columns, by which key, and how a caller's row becomes their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Dialect, PrimaryKeyConstraint, Table, UniqueConstraint


class BulkColumns:
    """The shape of a bulk lane, checked once when it is made.

    Attributes:
        table: Where the rows go.
        key: The column that makes a repeated row harmless.
        columns: What a row has, in order.
        key_index: Where the key is in a row.
        order_index: Where the column is whose equal values keep their order; the key's place by default.
        target: The table and its columns in SQL.
        conflict: The clause in SQL that leaves alone what is there already.

    Raises:
        ValueError: There is no such column, or no constraint that makes `key` unique.
    """

    def __init__(
        self, table: Table, key: str, columns: Sequence[str] | None, in_order_of: str | None, dialect: Dialect
    ) -> None:
        names = list(columns) if columns is not None else _insertable(table)
        unknown = [name for name in (*names, key, in_order_of or key) if name not in table.c]
        if unknown:
            raise ValueError(f"{table.name} has no column {unknown[0]!r}")
        if key not in names or (in_order_of or key) not in names:
            raise ValueError(f"a row of the lane must have {key!r} and {in_order_of or key!r}")
        if not _is_unique(table, key):
            raise ValueError(f"{table.name}.{key} needs a unique constraint or a primary key of its own")
        if any(constraint.deferrable for constraint in table.foreign_key_constraints):
            # One row would be refused at the commit, and with it the rows of all other callers.
            raise ValueError(f"{table.name} has a foreign key that is checked at the commit")
        self.table = table
        self.key: Column[Any] = table.c[key]
        self.columns: list[Column[Any]] = [table.c[name] for name in names]
        self.key_index = names.index(key)
        self.order_index = names.index(in_order_of or key)
        quote = dialect.identifier_preparer
        self.target = f"{quote.format_table(table)} ({', '.join(map(quote.format_column, self.columns))})"
        self.conflict = f"ON CONFLICT ({quote.format_column(self.key)}) DO NOTHING"
        self._names = names
        processors = [_processor(column, dialect) for column in self.columns]
        self._processors = [(place, make) for place, make in enumerate(processors) if make is not None]

    def values(self, row: Mapping[str, Any] | Sequence[Any]) -> tuple[Any, ...]:
        """The row as the driver takes it.

        Raises:
            ValueError: A column is missing, or there is one too many.
        """
        values: list[Any]
        if isinstance(row, Mapping):
            try:
                values = [row[name] for name in self._names]
            except KeyError as error:
                raise ValueError(f"the row lacks {error.args[0]!r}") from None
        else:
            values = list(row)
        if len(row) != len(self._names):
            raise ValueError(f"a row of {self.table.name} has the columns {', '.join(self._names)}")
        for place, make in self._processors:
            values[place] = make(values[place])
        return tuple(values)


def _insertable(table: Table) -> list[str]:
    counted = table.autoincrement_column
    return [column.name for column in table.columns if column is not counted and column.computed is None]


def _is_unique(table: Table, key: str) -> bool:
    constraints = (c for c in table.constraints if isinstance(c, UniqueConstraint | PrimaryKeyConstraint))
    if any([column.name for column in constraint.columns] == [key] for constraint in constraints):
        return True
    # A partial index makes only some rows unique, so ON CONFLICT cannot name it by its column.
    return any(
        index.unique
        and [column.name for column in index.columns] == [key]
        and not any(index.dialect_options[name].get("where") is not None for name in ("sqlite", "postgresql"))
        for index in table.indexes
    )


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)
