"""The live feed: it wakes readers, and the store is what they read, so a reader misses nothing and sees nothing twice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stagedoor.events import store
from stagedoor.events.nouns import Event, NewEvent
from stagedoor.kernel.errors import StorageUnavailable, TooMany
from stagedoor.storage import Database, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 200


class Feed:
    """Appends events and follows them.

    Args:
        database: Where events are stored.
        poll_seconds: How long a reader waits before it looks without having been woken: events of other nodes do not
            wake it, and the store is the truth.
        max_clients: Readers that one app may have at a time.
    """

    def __init__(self, database: Database, *, poll_seconds: float = 1.0, max_clients: int = 200) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._max_clients = max_clients
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def append(self, tx: Transaction, event: NewEvent) -> None:
        """Store an event in the transaction that makes it true; readers are woken when it commits."""
        store.insert_event(tx, event)
        tx.after_commit(lambda: self.wake(event.app_id))

    def wake(self, app_id: str) -> None:
        """Let the app's readers look into the store."""
        for waiting in self._waiting.get(app_id, ()):
            waiting.set()

    def close(self) -> None:
        """End every reader."""
        self._closed = True
        for app_id in list(self._waiting):
            self.wake(app_id)

    @property
    def clients(self) -> int:
        """Readers at this moment."""
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def subscribe(self, app_id: str) -> Iterator[Subscription]:
        """A reader's place among the app's readers.

        Raises:
            TooMany: The app has as many readers as it may.
        """
        waiting = asyncio.Event()
        if len(self._waiting[app_id]) >= self._max_clients:
            raise TooMany(
                f"This app has {self._max_clients} live feed connections, which is the most it may have.",
                code="too_many_feed_clients",
                extra={"limit": self._max_clients},
                headers={"Retry-After": "5"},
            )
        self._waiting[app_id].add(waiting)
        try:
            yield Subscription(self, waiting)
        finally:
            self._waiting[app_id].discard(waiting)
            if not self._waiting[app_id]:
                del self._waiting[app_id]

    async def _read(self, app_id: str, seq: int, livekit_room: str | None) -> list[Event]:
        return await self._database.read(
            lambda tx: store.events_after(tx, app_id, seq, livekit_room=livekit_room, limit=_BATCH)
        )


class Subscription:
    """A reader of one app's events."""

    def __init__(self, feed: Feed, waiting: asyncio.Event) -> None:
        self._feed = feed
        self._waiting = waiting

    async def follow(
        self, app_id: str, after: int, livekit_room: str | None, idle_seconds: float
    ) -> AsyncIterator[list[Event]]:
        """Events after `after`, in order, for ever; an empty list when nothing came for `idle_seconds`."""
        seq = after
        idle = 0.0
        while not self._feed._closed:
            self._waiting.clear()
            try:
                batch = await self._feed._read(app_id, seq, livekit_room)
            except StorageUnavailable:
                batch = []  # the reader stays; what it misses now it reads when the database is back
            if batch:
                seq = batch[-1].seq
                idle = 0.0
                yield batch
                continue
            try:
                async with asyncio.timeout(self._feed._poll_seconds):
                    await self._waiting.wait()
            except TimeoutError:
                idle += self._feed._poll_seconds
                if idle >= idle_seconds:
                    idle = 0.0
                    yield []
