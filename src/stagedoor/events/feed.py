"""The live feed: the store is what readers read, so nothing is missed and nothing comes twice.

A reader first catches up from the store by itself, from where it was left. Then it follows its app's tail: new events
are read once for all readers of the app, in batches that they share.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import structlog

from stagedoor.events import store
from stagedoor.events.nouns import FeedEvent, NewEvent, Reaction
from stagedoor.kernel.errors import StorageUnavailable, TooMany
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()

_BATCH: Final = 200
WAITING_BATCHES: Final = 16
"""Batches that wait for a slow reader; after so many it is sent back to the store, which keeps them anyway."""

RETRY_SECONDS: Final = 1.0

Direct = Callable[["Batch"], bool]
"""Takes a batch at once, or returns false to have it come the usual way."""


class Batch:
    """Consecutive events of an app, or of one of its rooms, that readers share.

    Attributes:
        after: The number that they come after.
        last: The number up to which nothing is missing.
        events: In the order of their numbers.
        rendered: For what the edge makes of them, so that it is made once.
    """

    __slots__ = ("_of_rooms", "after", "events", "last", "rendered")

    def __init__(self, after: int, last: int, events: Sequence[FeedEvent]) -> None:
        self.after = after
        self.last = last
        self.events = events
        self.rendered: Any = None
        self._of_rooms: dict[str, Batch] = {}

    def since(self, seq: int) -> Batch:
        """What of it comes after `seq`."""
        return self if seq <= self.after else Batch(seq, self.last, [one for one in self.events if one.seq > seq])

    def of_room(self, livekit_room: str | None) -> Batch:
        """What of it is about the room; all of it for `None`."""
        if livekit_room is None:
            return self
        found = self._of_rooms.get(livekit_room)
        if found is None:
            events = [one for one in self.events if one.livekit_room == livekit_room]
            found = self._of_rooms[livekit_room] = Batch(self.after, self.last, events)
        return found


class Reader:
    """A reader of an app's events.

    Attributes:
        livekit_room: The only room that it reads about.
        seq: The number up to which it has been given everything.
        direct: Takes batches of the tail without waking the reader's task.
    """

    def __init__(self, app_id: str, seq: int, livekit_room: str | None) -> None:
        self.app_id = app_id
        self.livekit_room = livekit_room
        self.seq = seq
        self.direct: Direct | None = None
        self.woken = asyncio.Event()
        self.waiting: deque[Batch] = deque()
        self.busy = False
        self.behind = False
        self.clock = asyncio.get_running_loop().time
        self.spoke = self.clock()

    def offer(self, batch: Batch) -> None:
        """Give it a batch of the tail."""
        if batch.last <= self.seq or self.behind:
            return
        part = batch.since(self.seq).of_room(self.livekit_room)
        if not part.events:
            self.seq = part.last
        elif not self.busy and self.direct is not None and self.direct(part):
            self.seq = part.last
            self.spoke = self.clock()
        elif len(self.waiting) < WAITING_BATCHES:
            self.busy = True  # until it has come this way, nothing may overtake it
            self.seq = part.last
            self.waiting.append(part)
            self.woken.set()
        else:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Send it back to the store, from where it was given everything."""
        if self.waiting:
            self.seq = self.waiting[0].after
            self.waiting.clear()
        self.behind = True
        self.woken.set()


class _Tail:
    """The newest events of an app, read once for all its readers.

    Attributes:
        readers: All of the app.
        live: Those that have caught up and are given what is read.
        seq: The number up to which it was read; `None` until a reader has caught up.
    """

    def __init__(self) -> None:
        self.readers: set[Reader] = set()
        self.live: set[Reader] = set()
        self.seq: int | None = None
        self.woken = asyncio.Event()
        self.reading: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self.woken.set()
        for reader in self.readers - self.live:
            reader.woken.set()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()


class Feed:
    """Appends events and follows them.

    Args:
        database: Where events are stored.
        poll_seconds: How long to wait before the store is looked into without a wake-up: events of other nodes wake
            no one here, and the store is the truth.
        max_clients: Readers that one app may have at a time.
        reactions: What happens with an event, by its type; see `app/reactions.py`.
    """

    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: float | None = None,
        max_clients: int = 200,
        reactions: Mapping[str, Sequence[Reaction]] | None = None,
    ) -> None:
        self._reactions = reactions or {}
        self._database = database
        self._poll_seconds = poll_seconds or database.poll_seconds
        self._max_clients = max_clients
        self._tails: dict[str, _Tail] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._closed = False

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the app of each event of this process, on the event loop, once it is stored."""
        self._listeners.append(listener)

    def append(self, tx: Transaction, event: NewEvent) -> None:
        """Store an event in the transaction that makes it true, and run its reactions there; readers are woken when it
        commits."""
        self.append_all(tx, [event])

    def append_all(self, tx: Transaction, events: Sequence[NewEvent]) -> None:
        """The same for several, in this order."""
        if not events:
            return
        store.insert_events(tx, events)
        for event in events:
            self.react(tx, event)
        for app_id in {event.app_id for event in events}:
            tx.after_commit(partial(self.wake, app_id))

    def react(self, tx: Transaction, event: NewEvent) -> None:
        """Run the reactions to an event, without storing it."""
        for reaction in self._reactions.get(event.type, ()):
            reaction(tx, event)

    def wake(self, app_id: str) -> None:
        """Let the app's readers look into the store."""
        tail = self._tails.get(app_id)
        if tail is not None:
            tail.wake()
        for listener in self._listeners:
            listener(app_id)

    def close(self) -> None:
        """End every reader."""
        self._closed = True
        for tail in self._tails.values():
            for reader in tail.readers:
                reader.woken.set()

    @property
    def clients(self) -> int:
        """Readers at this moment."""
        return sum(len(tail.readers) for tail in self._tails.values())

    def live(self, app_id: str) -> int:
        """Readers of the app that have caught up, and are given what is new as it is read."""
        tail = self._tails.get(app_id)
        return 0 if tail is None else len(tail.live)

    @contextmanager
    def subscribe(self, app_id: str, after: int, livekit_room: str | None = None) -> Generator[Reader]:
        """A reader's place among the app's readers.

        Args:
            app_id: Whose events.
            after: The number of the last event that the reader has.
            livekit_room: Only this room's.

        Raises:
            TooMany: The app has as many readers as it may.
        """
        tail = self._tails.get(app_id)
        if tail is not None and len(tail.readers) >= self._max_clients:
            raise TooMany(
                f"This app has {self._max_clients} live feed connections, which is the most it may have.",
                code="too_many_feed_clients",
                extra={"limit": self._max_clients},
                headers={"Retry-After": "5"},
            )
        if tail is None:
            tail = self._tails[app_id] = _Tail()
        reader = Reader(app_id, after, livekit_room)
        tail.readers.add(reader)
        try:
            yield reader
        finally:
            tail.readers.discard(reader)
            tail.live.discard(reader)
            if not tail.readers:
                del self._tails[app_id]
                tail.woken.set()  # its task ends by itself

    async def follow(
        self, reader: Reader, idle_seconds: float, direct: Direct | None = None
    ) -> AsyncGenerator[Batch | None]:
        """The events after those that the reader has, in order, until it goes; `None` after `idle_seconds` of silence.

        Args:
            reader: As subscribed.
            idle_seconds: How long a silence may be.
            direct: Takes batches as they are read. What it does not take, and what came before the reader had caught
                up, comes from here.
        """
        reader.direct = direct
        while not self._closed:
            batch = await self._catch_up(reader)
            if batch is not None and batch.events:
                reader.spoke = reader.clock()
                reader.seq = batch.last
                yield batch
                continue
            if batch is not None:
                reader.seq = batch.last
                async for more in self._live(reader, idle_seconds):
                    yield more
                continue
            if reader.clock() - reader.spoke >= idle_seconds:
                reader.spoke = reader.clock()
                yield None
            await _woken(reader, min(RETRY_SECONDS, reader.spoke + idle_seconds - reader.clock()))

    async def _catch_up(self, reader: Reader) -> Batch | None:
        """The next events in the store; `None` while it does not answer."""
        reader.woken.clear()
        try:
            return await self._read(reader.app_id, reader.seq, reader.livekit_room)
        except StorageUnavailable:
            return None  # the reader stays; what it misses now it reads when the database is back

    async def _live(self, reader: Reader, idle_seconds: float) -> AsyncGenerator[Batch | None]:
        """Follow the tail, until the reader has fallen behind it."""
        tail = self._tails[reader.app_id]
        if tail.seq is not None and tail.seq > reader.seq:
            return  # it went on while the reader looked; the reader looks once more
        if tail.seq is None:
            tail.seq = reader.seq
        if tail.reading is None:
            tail.reading = asyncio.create_task(self._read_tail(reader.app_id, tail), name="feed-tail")
        reader.behind = reader.busy = False
        tail.live.add(reader)
        try:
            while not self._closed and not reader.behind:
                if reader.waiting:
                    batch = reader.waiting.popleft()
                    reader.spoke = reader.clock()
                    yield batch
                    continue
                reader.busy = False
                silent = reader.clock() - reader.spoke
                if silent >= idle_seconds:
                    reader.spoke = reader.clock()
                    yield None
                    continue
                await _woken(reader, idle_seconds - silent)
                reader.woken.clear()
        finally:
            tail.live.discard(reader)

    async def _read(self, app_id: str, after: int, livekit_room: str | None) -> Batch:
        reading = asyncio.ensure_future(
            self._database.read(
                lambda tx: Batch(after, *store.feed_after(tx, app_id, after, livekit_room, limit=_BATCH))
            )
        )
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            # A reader that leaves in the middle must not take the connection to PostgreSQL with it.
            reading.add_done_callback(_ignore)
            raise

    async def _read_tail(self, app_id: str, tail: _Tail) -> None:
        while tail.readers:
            tail.woken.clear()
            try:
                batch = await self._read(app_id, tail.seq or 0, None)
            except StorageUnavailable:
                await tail.wait(RETRY_SECONDS)
                continue
            except Exception:  # noqa: BLE001 - readers depend on it, and a later look may well work
                _log.exception("feed_read_failed")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not batch.events:
                await tail.wait(self._poll_seconds)
                continue
            tail.seq = batch.last
            for reader in list(tail.live):
                try:
                    reader.offer(batch)
                except Exception:  # noqa: BLE001 - what is wrong with one reader is not to end those after it
                    _log.exception("feed_reader_failed")
                    reader.fall_behind()


def _ignore(reading: asyncio.Future[Batch]) -> None:
    if not reading.cancelled():
        reading.exception()


async def _woken(reader: Reader, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await reader.woken.wait()
