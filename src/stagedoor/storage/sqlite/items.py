"""What waits for a thread of SQLite's: a caller's work or a row, and the future that is answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import apsw
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.callbacks import Waiter
from stagedoor.storage.database import Counters
from stagedoor.storage.guard import guarded
from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.errors import RAISED, translated
from stagedoor.storage.sqlite.faults import unavailable
from stagedoor.storage.transaction import Transaction


class Item(ABC):
    """Something to run inside a transaction.

    Attributes:
        needs_savepoint: Whether it may fail half-way and then be undone.
        reading: Whether an attempt to write is its own fault, and not the disk's.
        value: What it returned.
        error: What it raised, or why it could not be stored.
        callbacks: What to call on the event loop once it is durable.
    """

    __slots__ = ("callbacks", "error", "future", "value")
    needs_savepoint: ClassVar[bool]
    reading: ClassVar[bool] = False

    def __init__(self, future: Waiter) -> None:
        self.future = future
        self.value: Any = None
        self.error: BaseException | None = None
        self.callbacks: list[Callable[[], None]] = []

    @abstractmethod
    def run(self, connection: Connection, driver: dbapi.Connection) -> Any:
        """Do it, and return what the caller is to get."""

    def attempt(self, connection: Connection, driver: dbapi.Connection) -> None:
        """Run it and keep what it returned or raised."""
        try:
            self.value = self.run(connection, driver)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, who gets it
            sentence = unavailable(error, reading=self.reading)
            if sentence is not None:
                refusal = StorageUnavailable(sentence)
                refusal.__cause__ = error
                error = refusal
            self.fail(error)
            with suppress(SQLAlchemyError):  # when it fails, the transaction is gone, which our caller sees
                while nested := connection.get_nested_transaction():
                    nested.rollback()

    @abstractmethod
    def count(self, counters: Counters) -> None:
        """Count it as done."""

    def fail(self, error: BaseException) -> None:
        """The item had no effect, and this is why."""
        self.error = error
        self.callbacks = []


class Work(Item):
    """A verb to call with a transaction."""

    __slots__ = ("work",)
    needs_savepoint = True

    def __init__(self, work: Callable[[Transaction], Any], future: Waiter) -> None:
        super().__init__(future)
        self.work = work

    def run(self, connection: Connection, driver: dbapi.Connection) -> Any:
        transaction = Transaction(connection, driver)
        with guarded(connection):
            value = self.work(transaction)
        # A foreign key that is checked at the commit would refuse the works of all callers together.
        if driver.apsw.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
            refused = dbapi.IntegrityError("FOREIGN KEY constraint failed", apsw.SQLITE_CONSTRAINT)
            raise IntegrityError("COMMIT", None, refused)
        self.callbacks = transaction.callbacks()
        return value

    def count(self, counters: Counters) -> None:
        counters.works += 1


class Read(Work):
    """A work on a connection that cannot write."""

    __slots__ = ()
    reading = True

    def count(self, counters: Counters) -> None:
        counters.reads += 1


class Row(Item):
    """A row to insert by a prepared statement."""

    __slots__ = ("sql", "values")
    needs_savepoint = False

    def __init__(self, sql: str, values: tuple[Any, ...], future: Waiter) -> None:
        super().__init__(future)
        self.sql = sql
        self.values = values

    def run(self, connection: Connection, driver: dbapi.Connection) -> bool:
        try:
            driver.apsw.execute(self.sql, self.values)
        except RAISED as error:
            raise DBAPIError.instance(self.sql, None, translated(error), dbapi.Error) from error
        return driver.apsw.changes() == 1

    def count(self, counters: Counters) -> None:
        counters.rows += 1
