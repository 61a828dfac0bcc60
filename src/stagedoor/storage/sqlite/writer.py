"""The one thread that writes: it takes what waits, commits it together and then completes all callers at once.

A durable commit costs an fsync: 0.1 ms on a fast disk, 2 ms and more on a cloud's. One for each of the works
would be the limit of the whole product; together they cost one.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.answers import Answers
from stagedoor.storage.sqlite.faults import GAVE_UP, unavailable
from stagedoor.storage.sqlite.items import Item
from stagedoor.storage.sqlite.link import Link

BATCH_ITEMS: Final = 512
BATCH_SECONDS: Final = 0.1
"""After this long a batch commits what it has: its first caller does not wait for 512 slow works."""
CLOSED: Final = "The database is closed."
OVERLOADED: Final = "The database cannot keep up with what it is given. Nothing was changed; try again later."


class Writer:
    """Owns the write connection and the thread that uses it.

    What the event loop submits in one turn goes to the thread together: handed over one by one, the first item woke
    the thread, which committed few while the others came (7 rows in a commit instead of 60, with 64 connections).

    Args:
        engine: Makes the write connection.
        answers: Brings results back to the event loop.
        limit: How many items may wait before more are refused.
        loop: The event loop that items are submitted on.
    """

    def __init__(self, engine: Engine, answers: Answers, limit: int, loop: AbstractEventLoop) -> None:
        self._link = Link(engine)
        self._answers = answers
        self._limit = limit
        self._loop = loop
        self._gathered: list[Item] = []
        self._queue: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._carried: deque[Item] = deque()
        self._submitted = 0  # counted on the event loop alone, as `_taken` is on the thread alone
        self._taken = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """Items that no batch has taken yet."""
        return self._submitted - self._taken

    def start(self) -> None:
        """Start the thread; blocks for a moment."""
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Queue an item; its future is answered after the commit that holds it.

        Raises:
            StorageUnavailable: The database is closed, or too much waits.
        """
        if self._closed:
            raise self._answers.refuse(CLOSED)
        if self.waiting >= self._limit:
            raise self._answers.refuse(OVERLOADED)
        self._submitted += 1
        self._gathered.append(item)
        if len(self._gathered) == 1:
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def refuse(self) -> None:
        """Take nothing more."""
        self._closed = True

    def stop(self) -> None:
        """Take nothing more; the thread ends after what waits."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the thread to end; blocks."""
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - whatever happened, the next batch finds a fresh connection
                self._fail(batch, error)
            del batch  # or what its items hold would live until the next one comes
        with suppress(SQLAlchemyError, dbapi.Error):
            self._link.open()[1].run("PRAGMA optimize")
        self._link.drop()

    def _take(self) -> list[Item]:
        """Everything that waits, at most a batch of it; empty when it is time to end."""
        with suppress(Empty):
            while len(self._carried) < BATCH_ITEMS:
                items = self._queue.get(block=not self._carried)
                if items is None:
                    if self._carried:
                        self._queue.put(None)
                    break
                self._carried.extend(items)
        batch = [self._carried.popleft() for _ in range(min(len(self._carried), BATCH_ITEMS))]
        self._taken += len(batch)
        return batch

    def _write(self, batch: list[Item]) -> None:
        try:
            connection, driver = self._link.open()
            root = connection.begin()
        except Exception:
            # Whatever else waits would meet the same lock or disk, each time for the whole busy timeout.
            batch.extend(self._rest())
            raise
        done = self._run_items(batch, connection, driver)
        if not root.is_active or not driver.in_transaction:
            raise dbapi.OperationalError(GAVE_UP)
        worth_it = any(item.error is None for item in done)
        if worth_it:
            root.commit()
        else:
            root.rollback()
        self._answers.give(done, committed=worth_it)

    def _run_items(self, batch: list[Item], connection: Connection, driver: dbapi.Connection) -> list[Item]:
        done: list[Item] = []
        alone = len(batch) == 1  # its savepoint would be the transaction
        deadline = monotonic() + BATCH_SECONDS
        for index, item in enumerate(batch):
            if done and monotonic() > deadline:
                self._carried.extendleft(reversed(batch[index:]))
                self._taken -= len(batch) - index
                del batch[index:]
                break
            if item.future.cancelled():
                continue
            done.append(item)
            if alone or not item.needs_savepoint:
                item.attempt(connection, driver)
            else:
                driver.run("SAVEPOINT work")
                item.attempt(connection, driver)
                driver.run("RELEASE work" if item.error is None else "ROLLBACK TO work; RELEASE work")
        return done

    def _rest(self) -> list[Item]:
        """All that waits, so that it can be refused."""
        with suppress(Empty):
            for _ in range(self._queue.qsize()):
                if items := self._queue.get(block=False):
                    self._carried.extend(items)
                else:
                    self._queue.put(None)
        rest = list(self._carried)
        self._carried.clear()
        self._taken += len(rest)
        return rest

    def _fail(self, batch: list[Item], error: Exception) -> None:
        # Also those whose work had failed by itself: what it saw may have been what is now undone.
        self._link.drop()
        known = (str(item.error) for item in batch if isinstance(item.error, StorageUnavailable))
        sentence = unavailable(error) or next(known, GAVE_UP)
        for item in batch:
            refusal = StorageUnavailable(sentence)
            refusal.__cause__ = error
            if not isinstance(item.error, RuntimeError):  # then the callback itself made the transaction fail
                item.fail(refusal)
        self._answers.give(batch)
