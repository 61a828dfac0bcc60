"""An open PostgreSQL database: a pool for transactions and the bulk lanes, seen as one `Database`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import greenlet_spawn

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.bulk_columns import BulkColumns
from stagedoor.storage.callbacks import call_all
from stagedoor.storage.database import Counters
from stagedoor.storage.guard import guarded
from stagedoor.storage.postgres.bulk import PostgresBulk
from stagedoor.storage.postgres.faults import LASTING, READ_ONLY, unavailable
from stagedoor.storage.postgres.pool import make_engine
from stagedoor.storage.probe_cache import ProbeCache
from stagedoor.storage.transaction import Transaction

T = TypeVar("T")

WRITE_CONNECTIONS: Final = 6
WAITING_LIMIT: Final = 10_000
CLOSED: Final = "The database is closed."
OVERLOADED: Final = "The database cannot keep up with what it is given. Nothing was changed; try again later."


class PostgresDatabase:
    """A database on a PostgreSQL server."""

    dialect: Literal["postgresql"] = "postgresql"
    sole_writer = False
    poll_seconds = 1.0

    def __init__(self, url: str, read_connections: int, waiting_limit: int = WAITING_LIMIT) -> None:
        self.url = without_password(url)
        self.counters = Counters()
        self._secret_url = url
        self._limit = waiting_limit
        self._loop = asyncio.get_running_loop()
        self._engine = make_engine(url, read_connections + WRITE_CONNECTIONS)
        # One snapshot for all statements of a read, as SQLite gives; READ COMMITTED would take one for each.
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes: set[asyncio.Task[Any]] = set()
        self._reads = 0
        self._no_reads = asyncio.Event()
        self._lanes: list[PostgresBulk] = []
        self._closed = False
        self._heartbeat = ProbeCache(self._probe)

    @property
    def waiting(self) -> int:
        return len(self._writes) + sum(lane.waiting for lane in self._lanes)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self._admit(self._reads)
        self._reads += 1
        try:
            async with _translated(reading=True):
                value, callbacks = await greenlet_spawn(_roll_back, self._reading.sync_engine, work)
        finally:
            self._reads -= 1
            if self._closed and not self._reads:
                self._no_reads.set()
        self.counters.reads += 1
        call_all(self._loop, callbacks)
        return value

    async def write(self, work: Callable[[Transaction], T]) -> T:
        self._admit(self.waiting)
        begun = asyncio.Event()
        task = self._own(self._write(work, begun))
        try:
            # A cancelled caller must not tear the connection from under a commit, nor lose its callbacks.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not begun.is_set():
                task.cancel()
            # `shield` lets go of a write that goes on: its error would be logged as one that was never retrieved.
            task.add_done_callback(_retrieve)
            raise

    def bulk(
        self, table: Table, key: str, *, columns: Sequence[str] | None = None, in_order_of: str | None = None
    ) -> PostgresBulk:
        lane = BulkColumns(table, key, columns, in_order_of, self._engine.dialect)
        bulk = PostgresBulk(self._secret_url, lane, self._engine.dialect, self.counters, self._limit)
        self._lanes.append(bulk)
        return bulk

    async def ping(self) -> None:
        await self._heartbeat.ask()

    async def close(self) -> None:
        self._closed = True
        if self._writes:
            await asyncio.wait(self._writes)
        if self._reads:  # what is in use is not the pool's to close
            await self._no_reads.wait()
        for lane in self._lanes:
            await lane.close()
        await self._engine.dispose()

    def _admit(self, waiting: int) -> None:
        if self._closed:
            raise StorageUnavailable(CLOSED)
        if waiting >= self._limit:
            raise StorageUnavailable(OVERLOADED)

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work, name="postgres-write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _write(self, work: Callable[[Transaction], T], begun: asyncio.Event) -> T:
        try:
            async with _translated():
                value, callbacks = await greenlet_spawn(_commit, self._engine.sync_engine, work, begun)
        except StorageUnavailable:
            self.counters.failures += 1
            raise
        self.counters.commits += 1
        self.counters.works += 1
        call_all(self._loop, callbacks)
        return value

    async def _probe(self) -> None:
        if await self.write(_cannot_write):
            raise StorageUnavailable(READ_ONLY, lasting=True)


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = make_url(url)
    secrets = [name for name in parts.query if "password" in name]
    # Not `set(password=None)`, which leaves the password as it is.
    shown = parts._replace(password=None).difference_update_query(secrets)
    return shown.render_as_string(hide_password=False)


# A transaction is one call in one greenlet, from the pool and back: an AsyncConnection of SQLAlchemy makes a greenlet
# for each step and a task for the end, which took a fifth of the CPU time of asking for a job.


def _commit(
    engine: Engine, work: Callable[[Transaction], T], begun: asyncio.Event
) -> tuple[T, list[Callable[[], None]]]:
    with _connection_of(engine) as connection, connection.begin():
        begun.set()
        return _run(connection, work)


def _roll_back(engine: Engine, work: Callable[[Transaction], T]) -> tuple[T, list[Callable[[], None]]]:
    with _connection_of(engine) as connection:
        connection.begin()  # closing the connection rolls it back
        return _run(connection, work)


@contextmanager
def _connection_of(engine: Engine) -> Generator[Connection]:
    connection = engine.connect()
    try:
        yield connection
    finally:
        try:
            connection.close()
        except BaseException:
            if not connection.closed:
                connection.invalidate()  # its caller was cancelled once more meanwhile: the pool gets its place back
            raise


def _run(connection: Connection, work: Callable[[Transaction], T]) -> tuple[T, list[Callable[[], None]]]:
    transaction = Transaction(connection)
    with guarded(connection):
        value = work(transaction)
    return value, transaction.callbacks()


def _cannot_write(tx: Transaction) -> bool:
    sql = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
    return bool(tx.connection.exec_driver_sql(sql).scalar())


@asynccontextmanager
async def _translated(*, reading: bool = False) -> AsyncGenerator[None]:
    try:
        yield
    except (SQLAlchemyError, TimeoutError) as error:
        sentence = unavailable(error, reading=reading)
        if sentence is None:
            raise
        raise StorageUnavailable(sentence, lasting=sentence in LASTING) from error


async def open_postgres(url: str, read_connections: int) -> PostgresDatabase:
    """Open a database on a server that answers.

    Raises:
        StorageUnavailable: The server cannot be reached, or refuses us.
    """
    database = PostgresDatabase(url, read_connections)
    try:
        await database.read(lambda tx: tx.connection.exec_driver_sql("SELECT 1").scalar())
    except BaseException:
        await database.close()
        raise
    return database
