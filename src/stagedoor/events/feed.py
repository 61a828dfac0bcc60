"""The live feed: it wakes readers, and the store is what they read, so nothing is missed and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from stagedoor.events import store
from stagedoor.events.nouns import Event, NewEvent
from stagedoor.kernel.errors import StorageUnavailable, TooMany
from stagedoor.storage import Database, Transaction

_BATCH = 200
_RETRY_SECONDS = 1.0


_Question = tuple[str, int, int, str | None]


@dataclass(frozen=True, slots=True)
class Place:
    """A reader's place among an app's readers."""

    app_id: str
    woken: asyncio.Event


class Feed:
    """Appends events and follows them.

    Args:
        database: Where events are stored.
        poll_seconds: How long a reader waits before it looks without having been woken: events of other nodes do not
            wake it, and the store is the truth.
        max_clients: Readers that one app may have at a time.
    """

    def __init__(self, database: Database, *, poll_seconds: float | None = None, max_clients: int = 200) -> None:
        self._database = database
        self._poll_seconds = poll_seconds or database.poll_seconds
        self._max_clients = max_clients
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._wakes: Counter[str] = Counter()
        self._reading: dict[_Question, asyncio.Future[list[Event]]] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._closed = False

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` told the app of each event of this process, on the event loop, once it is stored."""
        self._listeners.append(listener)

    def append(self, tx: Transaction, event: NewEvent) -> None:
        """Store an event in the transaction that makes it true; readers are woken when it commits."""
        store.insert_event(tx, event)
        tx.after_commit(lambda: self.wake(event.app_id))

    def wake(self, app_id: str) -> None:
        """Let the app's readers look into the store."""
        self._wakes[app_id] += 1
        for woken in self._waiting.get(app_id, ()):
            woken.set()
        for listener in self._listeners:
            listener(app_id)

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
    def subscribe(self, app_id: str) -> Generator[Place]:
        """A reader's place among the app's readers.

        Raises:
            TooMany: The app has as many readers as it may.
        """
        place = Place(app_id, asyncio.Event())
        if len(self._waiting[app_id]) >= self._max_clients:
            raise TooMany(
                f"This app has {self._max_clients} live feed connections, which is the most it may have.",
                code="too_many_feed_clients",
                extra={"limit": self._max_clients},
                headers={"Retry-After": "5"},
            )
        self._waiting[app_id].add(place.woken)
        try:
            yield place
        finally:
            self._waiting[app_id].discard(place.woken)
            if not self._waiting[app_id]:
                del self._waiting[app_id]

    async def follow(
        self, place: Place, after: int, livekit_room: str | None, idle_seconds: float
    ) -> AsyncGenerator[list[Event]]:
        """Events after `after`, in order, for ever; an empty list when nothing came for `idle_seconds`."""
        seq = after
        clock = asyncio.get_running_loop().time
        spoke = clock()
        while not self._closed:
            place.woken.clear()
            wait = self._poll_seconds
            try:
                batch = await self._read(place.app_id, seq, livekit_room)
            except StorageUnavailable:
                batch = []  # the reader stays; what it misses now it reads when the database is back
                wait = min(wait, _RETRY_SECONDS)  # and of that nobody wakes it
            if batch:
                seq = batch[-1].seq
                yield batch
                spoke = clock()
                continue
            if clock() - spoke >= idle_seconds:  # also while other rooms' events wake this reader in vain
                yield []
                spoke = clock()
            try:
                async with asyncio.timeout(min(wait, spoke + idle_seconds - clock())):
                    await place.woken.wait()
            except TimeoutError:
                pass  # another node's events wake nobody here

    async def _read(self, app_id: str, seq: int, livekit_room: str | None) -> list[Event]:
        """What the store has; readers who ask the same at the same time share one answer.

        A wake in between makes it another question, because an answer that was begun before may lack what the wake
        is about.
        """
        question = (app_id, self._wakes[app_id], seq, livekit_room)
        reading = self._reading.get(question)
        if reading is None:
            reading = asyncio.ensure_future(
                self._database.read(
                    lambda tx: store.events_after(tx, app_id, seq, livekit_room=livekit_room, limit=_BATCH)
                )
            )
            self._reading[question] = reading
            reading.add_done_callback(lambda _: self._reading.pop(question))
        # A reader that goes away must not take the answer from the others.
        return await asyncio.shield(reading)
