"""Statements of hot paths: written with SQLAlchemy, compiled once, and run on SQLite without it.

A point query takes SQLite a few microseconds, and SQLAlchemy some forty to bring there and back; with ten statements
for each of LiveKit's events that is most of what taking one in costs. On PostgreSQL the way over the network is what
counts, and the statement goes through SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.dialect import StagedoorSQLite
from stagedoor.storage.sqlite.errors import RAISED, translated

_DIALECT: Final = StagedoorSQLite()


class Prepared:
    """One statement.

    Args:
        statement: All values are bound by name. Types that are stored as something else (JSON, Boolean) are not for it:
            values go to SQLite, and come from it, as they are.

    Attributes:
        statement: What SQLAlchemy runs on PostgreSQL.
    """

    __slots__ = ("_names", "_sql", "statement")

    def __init__(self, statement: Executable) -> None:
        compiled = statement.compile(dialect=_DIALECT)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - every Executable of ours is SQL
        converted = [name for name in compiled.positiontup or () if name in compiled._bind_processors]  # pyright: ignore[reportPrivateUsage]
        if converted or compiled.post_compile_params or compiled.literal_execute_params:
            raise TypeError(f"a statement with values that must be converted can't be prepared: {compiled}")
        self.statement = statement
        self._sql = str(compiled)
        self._names = tuple(compiled.positiontup or ())

    def run_on_sqlite(self, connection: dbapi.Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it and read all its rows.

        Raises:
            sqlalchemy.exc.DBAPIError: As SQLAlchemy raises it.
        """
        try:
            return connection.apsw.execute(self._sql, [values[name] for name in self._names]).fetchall()
        except RAISED as error:
            raise DBAPIError.instance(self._sql, None, translated(error), dbapi.Error) from error
