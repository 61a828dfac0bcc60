"""Statements of hot paths: written with SQLAlchemy, compiled once, and run without it.

A point query takes SQLite a few microseconds, and SQLAlchemy some forty to bring there and back; with ten statements
for each of LiveKit's events that is most of what taking one in costs. Of a query to PostgreSQL it is still a third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.dialect import StagedoorSQLite
from stagedoor.storage.sqlite.errors import RAISED, translated

_SQLITE: Final = StagedoorSQLite()

_instance: Final[Callable[..., Any]] = DBAPIError.instance


@cache
def _postgresql_dialect() -> Any:
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg  # not imported for SQLite

    make: Callable[[], Any] = PGDialect_asyncpg
    return make()


Take = Callable[[Mapping[str, Any]], Sequence[Any]]
"""Takes a statement's values from those by name, in the statement's order."""


class Prepared:
    """One statement.

    Args:
        statement: Values that differ are bound by name; constants stand in the statement. Types that are stored as
            something else (JSON, Boolean) are not for it: values go to the database, and come from it, as they are.
    """

    __slots__ = ("_postgresql", "_sqlite", "_statement")

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._sqlite = _compiled(statement, _SQLITE)
        self._postgresql: tuple[str, Take] | None = None

    def run_on_sqlite(self, connection: dbapi.Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it and read all its rows.

        Raises:
            sqlalchemy.exc.DBAPIError: As SQLAlchemy raises it.
        """
        sql, take = self._sqlite
        try:
            return connection.apsw.execute(sql, take(values)).fetchall()
        except RAISED as error:
            raise DBAPIError.instance(sql, None, translated(error), dbapi.Error) from error

    def run_on_postgresql(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """The same."""
        sql, take = self._for_postgresql()
        return run_on_postgresql(connection, sql, take(values))

    def run_many_on_sqlite(self, connection: dbapi.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each of the rows of values.

        Raises:
            sqlalchemy.exc.DBAPIError: As SQLAlchemy raises it.
        """
        sql, take = self._sqlite
        try:
            connection.apsw.executemany(sql, map(take, rows))
        except RAISED as error:
            raise DBAPIError.instance(sql, None, translated(error), dbapi.Error) from error

    def run_many_on_postgresql(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same."""
        sql, take = self._for_postgresql()
        run_on_postgresql(connection, sql, [tuple(take(row)) for row in rows], many=True)

    def _for_postgresql(self) -> tuple[str, Take]:
        if self._postgresql is None:
            self._postgresql = _compiled(self._statement, _postgresql_dialect())
        return self._postgresql


def run_on_postgresql(
    connection: Connection, sql: str, values: Sequence[Any] = (), *, many: bool = False
) -> Sequence[Sequence[Any]]:
    """Run a text on the driver's connection and read all its rows; with `many`, once for each of the values.

    Raises:
        sqlalchemy.exc.DBAPIError: As SQLAlchemy raises it.
    """
    driver: Any = connection.dialect.dbapi
    raw = connection.connection
    cursor = raw.cursor()
    try:
        if many:
            cursor.executemany(sql, values)
            return ()
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else ()
    except driver.Error as error:
        lost = connection.dialect.is_disconnect(error, raw.dbapi_connection, cursor)  # pyright: ignore[reportArgumentType]
        wrapped = _instance(sql, None, error, driver.Error, connection_invalidated=lost)
        if lost:
            connection.invalidate(wrapped)
        raise wrapped from error
    except BaseException as error:
        # Cancelled within BEGIN or a statement: the driver holds a transaction that SQLAlchemy does not know of, so
        # the pool would hand it on with the connection.
        if not connection.invalidated:
            connection.invalidate(error)
        raise
    finally:
        cursor.close()


def _compiled(statement: Executable, dialect: Any) -> tuple[str, Take]:
    compiled = statement.compile(dialect=dialect)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - every Executable here is SQL
    names = tuple(compiled.positiontup or ())
    converted = [name for name in names if name in compiled._bind_processors]  # pyright: ignore[reportPrivateUsage]
    if converted or compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError(f"a statement with values that must be converted cannot be prepared: {compiled}")
    constants = {name: compiled.binds[name].value for name in names if not compiled.binds[name].required}
    return str(compiled), _taking(names, constants)


def _taking(names: tuple[str, ...], constants: Mapping[str, Any]) -> Take:
    if constants:
        return lambda values: [constants[name] if name in constants else values[name] for name in names]
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]
