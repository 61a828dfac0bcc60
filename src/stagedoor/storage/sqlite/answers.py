"""The way back from SQLite's threads to the event loop: one wake-up for a whole batch."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from contextlib import suppress

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.callbacks import call_all
from stagedoor.storage.database import Counters
from stagedoor.storage.sqlite.items import Item


class Answers:
    """Resolves the futures of items that are done, and counts them.

    Args:
        loop: The event loop that the futures belong to.
        counters: Changed on the event loop only.
    """

    def __init__(self, loop: AbstractEventLoop, counters: Counters) -> None:
        self._loop = loop
        self._counters = counters

    def give(self, items: Sequence[Item], *, committed: bool = False) -> None:
        """Have the loop run the items' callbacks and wake their callers; called on any thread."""
        with suppress(RuntimeError):  # the loop is closed: no caller waits any more
            self._loop.call_soon_threadsafe(self._deliver, items, committed)

    def refuse(self, sentence: str) -> StorageUnavailable:
        """The error for an item that is not taken; called on the event loop."""
        self._counters.failures += 1
        return StorageUnavailable(sentence)

    def _deliver(self, items: Sequence[Item], committed: bool) -> None:  # noqa: FBT001 - the loop passes it on
        self._counters.commits += committed
        for item in items:
            if item.error is None:
                item.count(self._counters)
                call_all(self._loop, item.callbacks)
            elif isinstance(item.error, StorageUnavailable):
                self._counters.failures += 1
            self._answer(item)

    def _answer(self, item: Item) -> None:
        if item.future.done():  # its caller was cancelled in the meantime
            return
        if item.error is None:
            item.future.set_result(item.value)
        elif isinstance(item.error, StopIteration):  # a future refuses it, and its caller would wait indefinitely
            item.future.set_exception(RuntimeError("a callback raised StopIteration"))
        else:
            item.future.set_exception(item.error)
