"""An open SQLite database: the writer, the readers and the bulk lanes, seen as one `Database`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Table

from stagedoor.kernel import tracing
from stagedoor.kernel.errors import CallerMistake, OperatorError, StorageUnavailable
from stagedoor.storage.bulk_columns import BulkColumns
from stagedoor.storage.callbacks import Callback
from stagedoor.storage.database import Counters
from stagedoor.storage.probe_cache import ProbeCache
from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.answers import Answers
from stagedoor.storage.sqlite.dialect import make_engine
from stagedoor.storage.sqlite.faults import for_operator, unavailable
from stagedoor.storage.sqlite.items import Read, Row, Work
from stagedoor.storage.sqlite.readers import Readers
from stagedoor.storage.sqlite.writer import Writer
from stagedoor.storage.transaction import Transaction

T = TypeVar("T")

WAITING_LIMIT: Final = 10_000
REPAIRED: Final = (3, 51, 3)
"""The first SQLite in which two connections cannot corrupt a WAL file."""


class SqliteDatabase:
    """A database in one file."""

    dialect: Literal["sqlite"] = "sqlite"
    sole_writer = True
    poll_seconds = 15.0

    def __init__(self, path: str, read_connections: int, waiting_limit: int = WAITING_LIMIT) -> None:
        self.url = f"sqlite:///{path}"
        self.counters = Counters()
        self._loop = asyncio.get_running_loop()
        answers = Answers(self._loop, self.counters)
        self._engine = make_engine(path, "write")
        self._writer = Writer(self._engine, answers, waiting_limit, self._loop)
        self._readers = Readers(make_engine(path, "read"), answers, read_connections, waiting_limit)
        self._heartbeat = ProbeCache(self._probe)

    @property
    def waiting(self) -> int:
        return self._writer.waiting

    def start(self) -> None:
        """Start the threads; blocks for a moment."""
        self._writer.start()
        self._readers.start()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._readers.submit(Read(work, future))
        return await future

    async def write(self, work: Callable[[Transaction], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(Work(tracing.carried(work), future))
        return await future

    def bulk(
        self, table: Table, key: str, *, columns: Sequence[str] | None = None, in_order_of: str | None = None
    ) -> SqliteBulk:
        lane = BulkColumns(table, key, columns, in_order_of, self._engine.dialect)
        return SqliteBulk(self._writer, self._loop, lane)

    async def ping(self) -> None:
        await self._heartbeat.ask()

    async def _probe(self) -> None:
        # A real write, or a full disk would not be noticed. SQLite leaves user_version to the application.
        await self.write(_write_something)
        await self.read(lambda tx: tx.connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar())

    async def close(self) -> None:
        self._writer.refuse()
        self._readers.stop()
        await asyncio.to_thread(self._readers.join)
        # The writer goes last: closing the last connection moves the WAL into the database file.
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)


class SqliteBulk:
    """A bulk lane that goes through the writer's queue."""

    def __init__(self, writer: Writer, loop: asyncio.AbstractEventLoop, lane: BulkColumns) -> None:
        self._writer = writer
        self._loop = loop
        self._lane = lane
        places = ", ".join("?" * len(lane.columns))
        self._sql = f"INSERT INTO {lane.target} VALUES ({places}) {lane.conflict}"  # noqa: S608 - names from the schema

    async def insert(self, row: Mapping[str, Any] | Sequence[Any]) -> bool:
        future: asyncio.Future[bool] = self._loop.create_future()
        self._writer.submit(Row(self._sql, self._lane.values(row), future))
        return await future

    def insert_then(
        self, row: Mapping[str, Any] | Sequence[Any], answer: Callable[[bool | BaseException], None]
    ) -> None:
        self._writer.submit(Row(self._sql, self._lane.values(row), Callback(self._loop, answer)))


def _write_something(tx: Transaction) -> None:
    tx.connection.exec_driver_sql(f"PRAGMA user_version={int(time.time()) & 0x7FFFFFFF}")


async def open_sqlite(path: str, read_connections: int) -> SqliteDatabase:
    """Open a database file; it is made, for its owner's eyes only, if there is none.

    Raises:
        CallerMistake: Its folder does not exist.
        OperatorError: The file cannot be used.
        StorageUnavailable: It is locked by another program.
    """
    await asyncio.to_thread(prepare, path)
    database = SqliteDatabase(path, read_connections)
    await asyncio.to_thread(database.start)
    return database


def prepare(path: str) -> None:
    """Make the file if there is none, and see that it is a database that can be written; blocks."""
    if dbapi.sqlite_version_info < REPAIRED:
        raise OperatorError(
            f"apsw brings SQLite {dbapi.sqlite_version}, which can damage databases; install a newer apsw."
        )
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileNotFoundError:
        raise CallerMistake(f"The folder {Path(path).parent} for the database does not exist.") from None
    except OSError as error:
        raise OperatorError(f"The database {path} cannot be opened: {error.strerror}.") from error
    try:
        connection = dbapi.connect(path, mode="write")
        connection.run("BEGIN IMMEDIATE; ROLLBACK")
        connection.close()
    except dbapi.Error as error:
        if for_operator(error):
            raise OperatorError(f"{path}: {unavailable(error)}") from error
        raise StorageUnavailable(unavailable(error) or str(error)) from error
