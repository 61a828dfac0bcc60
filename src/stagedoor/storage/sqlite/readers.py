"""A few threads that read, each on a connection of its own that cannot write."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Final

from sqlalchemy import Engine

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.sqlite.answers import Answers
from stagedoor.storage.sqlite.faults import GAVE_UP, unavailable
from stagedoor.storage.sqlite.items import Item
from stagedoor.storage.sqlite.link import Link

CLOSED: Final = "The database is closed."
OVERLOADED: Final = "The database cannot keep up with what it is asked. Try again later."


class Readers:
    """Owns the read connections and their threads.

    Args:
        engine: Makes the read connections.
        answers: Brings results back to the event loop.
        count: How many threads.
        limit: How many reads may wait before more are refused.
    """

    def __init__(self, engine: Engine, answers: Answers, count: int, limit: int) -> None:
        self._engine = engine
        self._answers = answers
        self._limit = limit
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"sqlite-reader-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads; blocks for a moment."""
        for thread in self._threads:
            thread.start()

    def submit(self, item: Item) -> None:
        """Queue a read.

        Raises:
            StorageUnavailable: The database is closed, or too many reads wait.
        """
        if self._closed:
            raise self._answers.refuse(CLOSED)
        if self._queue.qsize() >= self._limit:
            raise self._answers.refuse(OVERLOADED)
        self._queue.put(item)

    def stop(self) -> None:
        """Refuse new reads; the threads end after those that wait."""
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)

    def join(self) -> None:
        """Wait for the threads to end; blocks."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        link = Link(self._engine)
        while item := self._queue.get():
            if not item.future.cancelled():
                try:
                    self._read(link, item)
                except Exception as error:  # noqa: BLE001 - whatever happened, the next read gets a fresh connection
                    link.drop()
                    refusal = StorageUnavailable(unavailable(error) or GAVE_UP)
                    refusal.__cause__ = error
                    item.fail(refusal)
                self._answers.give([item])
            del item
        link.drop()

    def _read(self, link: Link, item: Item) -> None:
        connection, driver = link.open()
        root = connection.begin()
        item.attempt(connection, driver)
        if root.is_active and not isinstance(item.error, StorageUnavailable):
            root.rollback()
        else:
            link.drop()
