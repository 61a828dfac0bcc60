"""What a verb is handed: one transaction, to read and write in, and nothing else of the database."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeVarTuple, overload

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import TypedReturnsRows

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.guard import mark_failed
from stagedoor.storage.prepared import Prepared, run_on_postgresql
from stagedoor.storage.savepoint import on_postgresql, on_sqlite
from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite import faults as sqlite_faults

Dialect = Literal["sqlite", "postgresql"]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Columns = TypeVarTuple("Columns")


_LOCK: Final = "SELECT pg_advisory_xact_lock($1::int, number) FROM unnest($2::int[]) AS number"
_TRY_LOCK: Final = "SELECT number, pg_try_advisory_xact_lock($1::int, number) FROM unnest($2::int[]) AS number"


def lock_number(name: str) -> int:
    """A name as one of PostgreSQL's 32-bit lock numbers; two names of one number only wait for each other in vain."""
    return zlib.crc32(name.encode()) >> 1


class Transaction:
    """One transaction on one connection; its maker begins it and commits it.

    It lives as long as the call of the verb, and a result must be read before the verb returns. `commit` and
    `rollback` on `connection` are not the verb's to call; they raise.

    Attributes:
        connection: The SQLAlchemy Core connection the transaction runs on.
        dialect: Which engine it is, for the few statements that differ.
    """

    __slots__ = ("_after_commit", "_sqlite", "connection", "dialect")

    def __init__(self, connection: Connection, sqlite: dbapi.Connection | None = None) -> None:
        """`sqlite` is the driver's connection under `connection`, if that is its engine."""
        self.connection = connection
        self.dialect: Dialect = "postgresql" if sqlite is None else "sqlite"
        self._sqlite = sqlite
        self._after_commit: list[Callable[[], None]] = []

    @overload
    def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Parameters | None = None
    ) -> CursorResult[*Columns]: ...

    @overload
    def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a Core statement.

        Raises:
            sqlalchemy.exc.IntegrityError: A constraint refused it. A verb that means to go on must run the
                statement inside `savepoint()`; one that swallows the error elsewhere is not committed.
        """
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Prepared, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement of a hot path, with a value for each of its parameters; all its rows.

        Raises:
            sqlalchemy.exc.IntegrityError: As `execute`.
        """
        try:
            if self._sqlite is None:
                return statement.run_on_postgresql(self.connection, values)
            return statement.run_on_sqlite(self._sqlite, values)
        except DBAPIError as error:
            mark_failed(self.connection, error)
            raise

    def run_many(self, statement: Prepared, rows: Collection[Mapping[str, Any]]) -> None:
        """Run a statement of a hot path once for each row of values.

        Raises:
            sqlalchemy.exc.IntegrityError: As `execute`.
        """
        if not rows:
            return
        try:
            if self._sqlite is None:
                statement.run_many_on_postgresql(self.connection, rows)
            else:
                statement.run_many_on_sqlite(self._sqlite, rows)
        except DBAPIError as error:
            mark_failed(self.connection, error)
            raise

    def run(self, statement: Prepared, values: Mapping[str, Any]) -> None:
        """Run a statement of a hot path that gives no rows.

        Raises:
            sqlalchemy.exc.IntegrityError: As `execute`.
        """
        self.rows(statement, values)

    def lock(self, name: str, keys: Collection[str]) -> None:
        """Wait until no other transaction holds a lock of this name on one of these keys; hold them until the end.

        Several are taken in one order, so that no two transactions wait for each other. SQLite has one writer, which
        holds all of them.
        """
        if self._sqlite is None and keys:
            self._on_postgresql(_LOCK, lock_number(name), sorted({lock_number(key) for key in keys}))

    def try_lock(self, name: str, keys: Collection[str]) -> set[str]:
        """The same without waiting; those of the keys that no other transaction holds."""
        if self._sqlite is not None or not keys:
            return set(keys)
        rows = self._on_postgresql(_TRY_LOCK, lock_number(name), sorted({lock_number(key) for key in keys}))
        held = {row[0] for row in rows if row[1]}
        return {key for key in keys if lock_number(key) in held}

    def blames_database(self, error: Exception) -> bool:
        """Whether the database failed, rather than what it was asked."""
        if isinstance(error, StorageUnavailable):
            return True
        if self._sqlite is not None:
            return sqlite_faults.unavailable(error) is not None
        from stagedoor.storage.postgres import faults as postgres_faults  # its driver is not imported for SQLite

        return postgres_faults.unavailable(error) is not None

    def _on_postgresql(self, sql: str, *values: Any) -> Sequence[Sequence[Any]]:
        try:
            return run_on_postgresql(self.connection, sql, values)
        except DBAPIError as error:
            mark_failed(self.connection, error)
            raise

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the event loop once what this transaction did is durable.

        Callbacks run in the order in which they were registered, before the caller of `write` resumes. They
        are dropped when the transaction, or the savepoint they were registered in, is rolled back. One that
        raises is reported to the event loop's exception handler and keeps no other from running.
        """
        self._after_commit.append(callback)

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """A part that can fail: an exception inside undoes it, drops its callbacks and propagates."""
        registered = len(self._after_commit)
        # SQLAlchemy compiles a savepoint again each time, which costs more than what is usually done in one.
        driver = self._sqlite
        part = on_postgresql(self.connection) if driver is None else on_sqlite(self.connection, driver)
        with part:
            try:
                yield
            except BaseException:
                del self._after_commit[registered:]
                raise

    def callbacks(self) -> list[Callable[[], None]]:
        """What `after_commit` collected, for the engine that commits."""
        return self._after_commit
