"""The bulk lane on PostgreSQL: rows from many callers, one `INSERT … SELECT … unnest(…)` for each batch."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import ARRAY, Column, String
from sqlalchemy import Dialect as SqlDialect
from sqlalchemy.exc import DBAPIError, IntegrityError

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.bulk_columns import BulkColumns
from stagedoor.storage.callbacks import Callback, Waiter
from stagedoor.storage.database import Counters
from stagedoor.storage.postgres.connect import Wire, connect
from stagedoor.storage.postgres.faults import FAILURES, unavailable

WRITERS: Final = 2
"""One prepares while the other waits for its commit; more did not add anything on two cores."""
BATCH_ROWS: Final = 512
STATEMENT_TIMEOUT_S: Final = 10.0
DEADLOCK_ATTEMPTS: Final = 10
"""Two nodes given the same keys in different orders can wait for each other; PostgreSQL undoes one."""
CLOSED: Final = "The database is closed."
OVERLOADED: Final = "The database cannot keep up with what it is given. Nothing was changed; try again later."


@dataclass(slots=True, eq=False)
class _Row:
    values: tuple[Any, ...]
    future: Waiter


class PostgresBulk:
    """A bulk lane with connections and writers of its own.

    Rows go to a writer by their key (or by the column whose order is to be kept), so that one key is never in
    two of our transactions at once, which could wait for each other.
    """

    def __init__(self, url: str, lane: BulkColumns, dialect: SqlDialect, counters: Counters, limit: int) -> None:
        self._lane = lane
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._writers = [
            _Writer(url, lane, dialect, counters, f"postgres-bulk-{lane.table.name}-{number}")
            for number in range(WRITERS)
        ]

    @property
    def waiting(self) -> int:
        """Rows that no batch has taken yet."""
        return sum(len(writer.queue) for writer in self._writers)

    async def insert(self, row: Mapping[str, Any] | Sequence[Any]) -> bool:
        future: Future[bool] = self._loop.create_future()
        self._submit(row, future)
        return await future

    def insert_then(
        self, row: Mapping[str, Any] | Sequence[Any], answer: Callable[[bool | BaseException], None]
    ) -> None:
        self._submit(row, Callback(self._loop, answer))

    def _submit(self, row: Mapping[str, Any] | Sequence[Any], waiter: Waiter) -> None:
        if self._closed:
            raise StorageUnavailable(CLOSED)
        if self.waiting >= self._limit:
            raise StorageUnavailable(OVERLOADED)
        values = self._lane.values(row)
        self._writers[hash(values[self._lane.order_index]) % WRITERS].submit(_Row(values, waiter))

    async def close(self) -> None:
        """Store what waits, then end."""
        self._closed = True
        for writer in self._writers:
            await writer.close()


class _Writer:
    def __init__(self, url: str, lane: BulkColumns, dialect: SqlDialect, counters: Counters, name: str) -> None:
        self.queue: deque[_Row] = deque()
        self._url = url
        self._counters = counters
        self._key_index = lane.key_index
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._connection: Wire | None = None
        self._sql = _statement(lane, dialect)

    def submit(self, row: _Row) -> None:
        self.queue.append(row)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain(), name=self._name)

    async def close(self) -> None:
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._drop(self._connection)

    async def _drain(self) -> None:
        while self.queue:
            batch = [self.queue.popleft() for _ in range(min(len(self.queue), BATCH_ROWS))]
            batch = [row for row in batch if not row.future.done()]
            if not batch:
                continue
            try:
                await self._store(batch)
            except StorageUnavailable as error:
                # What waits behind it would meet the same database, each time for the whole timeout.
                self._refuse([*batch, *self.queue], error)
                self.queue.clear()
            except Exception as error:  # noqa: BLE001 - the writer must go on, and its callers must hear of it
                self._refuse(batch, error)

    async def _store(self, batch: list[_Row]) -> None:
        try:
            await self._insert(batch)
        except DBAPIError as error:
            if len(batch) == 1:
                self._refuse(batch, error)
                return
            # One row that the database will never take must not take the others with it.
            for row in batch:
                await self._store([row])

    async def _insert(self, batch: list[_Row]) -> None:
        stored = await self._fetch(list(zip(*[row.values for row in batch], strict=True)))
        self._counters.commits += 1
        self._counters.rows += len(batch)
        new = {record[0] for record in stored}
        for row in batch:
            key = row.values[self._key_index]
            if not row.future.done():  # its caller was cancelled in the meantime
                row.future.set_result(key in new)
            new.discard(key)  # the same key again, further down the batch, was there already

    async def _fetch(self, arrays: list[tuple[Any, ...]]) -> list[Any]:
        attempts = DEADLOCK_ATTEMPTS
        while True:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._url)
            attempts -= 1
            try:
                return await self._connection.fetch(self._sql, *arrays, timeout=STATEMENT_TIMEOUT_S)
            except (*FAILURES, ValueError, TypeError, OverflowError) as error:
                if attempts and isinstance(error, asyncpg.DeadlockDetectedError):
                    continue
                sentence = unavailable(error)
                if sentence is None:
                    raise _refused_row(self._sql, error) from error
                await self._drop(self._connection)
                raise StorageUnavailable(sentence) from error

    async def _drop(self, connection: Wire) -> None:
        self._connection = None
        try:
            await connection.close(timeout=1)
        except FAILURES:
            connection.terminate()

    def _refuse(self, rows: Iterable[_Row], error: Exception) -> None:
        for row in rows:
            if row.future.done():
                continue
            if isinstance(error, StorageUnavailable):
                self._counters.failures += 1
                refusal = StorageUnavailable(str(error))  # each caller adds a traceback to its own
                refusal.__cause__ = error.__cause__
                row.future.set_exception(refusal)
            else:
                row.future.set_exception(error)


def _statement(lane: BulkColumns, dialect: SqlDialect) -> str:
    arrays = ", ".join(
        f"${number}::{_sql_type(column, dialect)}[]" for number, column in enumerate(lane.columns, start=1)
    )
    key = dialect.identifier_preparer.format_column(lane.key)
    return f"INSERT INTO {lane.target} SELECT * FROM unnest({arrays}) {lane.conflict} RETURNING {key}"  # noqa: S608 - names from the schema


def _sql_type(column: Column[Any], dialect: SqlDialect) -> str:
    kind = column.type.dialect_impl(dialect)
    if isinstance(kind, ARRAY):
        raise ValueError(f"{column.name} is an array, and unnest would take it apart")  # noqa: TRY004 - of no use to a caller
    # A cast to varchar(n) cuts a value that is too long; the assignment from text refuses it.
    return "text" if isinstance(kind, String) else kind.compile(dialect=dialect)


def _refused_row(sql: str, error: Exception) -> DBAPIError:
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(sql, None, error)
