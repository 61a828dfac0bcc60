"""What a verb is handed: one transaction, to read and write in, and nothing else of the database."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVarTuple, overload

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.sql.selectable import TypedReturnsRows

Dialect = Literal["sqlite", "postgresql"]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Columns = TypeVarTuple("Columns")


class Transaction:
    """One transaction on one connection; whoever made it begins it and commits it.

    It lives as long as the call of the verb, and a result must be read before the verb returns. `commit` and
    `rollback` on `connection` are not the verb's to call; they raise.

    Attributes:
        connection: The SQLAlchemy Core connection the transaction runs on.
        dialect: Which engine it is, for the few statements that differ.
    """

    __slots__ = ("_after_commit", "connection", "dialect")

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect: Dialect = dialect
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
        with self.connection.begin_nested():
            try:
                yield
            except BaseException:
                del self._after_commit[registered:]
                raise

    def callbacks(self) -> list[Callable[[], None]]:
        """What `after_commit` collected, for the engine that commits."""
        return self._after_commit
