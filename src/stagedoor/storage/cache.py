"""What was read from the database, kept where this process is the only writer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from stagedoor.storage.database import Database
from stagedoor.storage.transaction import Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_LIMIT = 10_000


class GenerationCache(Generic[K, V]):
    """Keeps answers until something changes, and then forgets all of them.

    Where another process may write too, each question goes to the database.

    Args:
        database: What is asked.
        limit: How many answers are kept; one more, and all are forgotten.
    """

    def __init__(self, database: Database, limit: int = _LIMIT) -> None:
        self._database = database
        self._limit = limit
        self._kept: dict[K, V] = {}
        self._generation = 0

    async def get(self, key: K, read: Callable[[Transaction], V | None]) -> V | None:
        """The answer to `key`: the kept one, or what `read` finds. `None` is not kept."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        generation = self._generation
        found = await self._database.read(read)
        # What changed while it was read must not be kept as it was before.
        if found is not None and self._database.sole_writer and generation == self._generation:
            if len(self._kept) >= self._limit:
                self._kept.clear()
            self._kept[key] = found
        return found

    def peek(self, key: K) -> V | None:
        """The kept answer, without a question to the database."""
        return self._kept.get(key)

    @property
    def generation(self) -> int:
        """Another number once something has changed."""
        return self._generation

    def forget(self) -> None:
        """Forget every answer: something has changed."""
        self._kept.clear()
        self._generation += 1
