"""What the rest of the product sees of a database, whichever engine is under it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Table

from stagedoor.storage.transaction import Dialect, Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Counters:
    """What a database did since it was opened.

    Attributes:
        commits: Write transactions committed, however many works and rows were in each.
        works: Calls of `write` that were committed.
        rows: Rows that the bulk lane was given and that were committed or found to be there.
        failures: Works and rows refused with `StorageUnavailable`.
        reads: Calls of `read` that ended without an error.
    """

    commits: int = 0
    works: int = 0
    rows: int = 0
    failures: int = 0
    reads: int = 0


class BulkInsert(Protocol):
    """The hot way in: rows from many callers, inserted by few statements and committed together."""

    async def insert(self, row: Mapping[str, Any] | Sequence[Any]) -> bool:
        """Store one row; what is stored survives a crash by the time this returns.

        Args:
            row: A value for each of the lane's columns, by name or in their order.

        Returns:
            True if the row is new, False if its key was there already, also when another caller stored it in
            the same commit.

        Raises:
            StorageUnavailable: The row was not stored, or its state is unknown; inserting it again is safe.
            sqlalchemy.exc.DBAPIError: The database will never take this row: a NULL that may not be, a value
                that does not fit, a foreign key that points nowhere. Other callers' rows are not affected.
            ValueError: The row does not have the lane's columns.
        """
        ...

    def insert_then(
        self, row: Mapping[str, Any] | Sequence[Any], answer: Callable[[bool | BaseException], None]
    ) -> None:
        """Store one row, and call `answer` on the event loop with what `insert` returns or raises: no task waits.

        Raises:
            StorageUnavailable: The row is not taken at all; `answer` is not called.
            ValueError: The same, because it does not have the lane's columns.
        """
        ...


class Database(Protocol):
    """One open database. Its methods are for the event loop it was opened on."""

    @property
    def dialect(self) -> Dialect:
        """Which engine it is."""
        ...

    @property
    def sole_writer(self) -> bool:
        """Whether no other process writes to it: what was read may be kept, and what was committed here is all there
        is."""
        ...

    @property
    def poll_seconds(self) -> float:
        """How often to look for what other processes wrote, which wakes no task here."""
        ...

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        ...

    @property
    def counters(self) -> Counters:
        """What it did so far."""
        ...

    @property
    def waiting(self) -> int:
        """How many works and rows wait to be written now."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on one consistent snapshot, in a transaction that cannot write.

        It sees everything that a `write` or `insert` awaited earlier has stored.

        Raises:
            StorageUnavailable: The database could not be read now.
            Exception: Whatever `work` raised.
        """
        ...

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, and return once it is durable.

        `work` is a plain function that does nothing but talk to the database: on SQLite it runs on the
        writer's thread, with the works of other callers in the same commit; on PostgreSQL on the event loop.
        What it raises propagates unchanged and undoes its own changes only.

        When the caller is cancelled, a callback that has not begun never runs; one that has goes on and is
        committed or not as a whole, and so are its `after_commit` callbacks.

        Raises:
            StorageUnavailable: The database is unreachable, full, locked or cannot keep up. Nothing was
                stored, unless a connection to PostgreSQL broke during the commit itself.
            Exception: Whatever `work` raised.
        """
        ...

    def bulk(
        self, table: Table, key: str, *, columns: Sequence[str] | None = None, in_order_of: str | None = None
    ) -> BulkInsert:
        """A lane that inserts rows of `table` and leaves those alone whose `key` is there already.

        Args:
            table: Where the rows go. Its Python-side defaults are not applied.
            key: The column with the unique constraint or primary key that makes a repeated row harmless.
            columns: The columns a row has; by default all but a primary key that the database counts up.
            in_order_of: A column. Rows with the same value of it are numbered and committed in the order in
                which they were given. SQLite keeps the order of all rows anyhow; PostgreSQL has two writers.

        Raises:
            ValueError: There is no such column, or no constraint that makes `key` unique.
        """
        ...

    async def ping(self) -> None:
        """Find out whether the database can be read and written right now; the answer is kept for 2 s.

        Raises:
            StorageUnavailable: It cannot.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and what waits, then let go. Later calls raise StorageUnavailable."""
        ...
