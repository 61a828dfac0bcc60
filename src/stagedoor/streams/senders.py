"""The senders of this node: one a room, and how a newer connection takes over. No protocol is known here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StagedoorError, Unavailable
from stagedoor.streams.closing import GOING_AWAY, IDLE, REPLACED, Close
from stagedoor.streams.hub import Frame, Hub, Slot
from stagedoor.streams.placeholder import placeholder
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.usage.meters import AddedMeter
from stagedoor.usage.running_meters import RunningMeters

_LEAVING_SECONDS: Final = 3.0
"""How long connections have, when the product stops, to send their last message."""


class RoomTaken(StagedoorError):
    """Another sender has the room, and is not to be replaced."""


@dataclass(frozen=True, slots=True)
class Source:
    """What sends, as the ways out have to know it.

    Attributes:
        id: Of the camera, or of what else sends by its protocol.
        meter: The usage that its time counts as.
        room: Its room's LiveKit name.
        identity: Its participant's identity when it is published to the room.
        settings: Its app's settings when it connected.
        max_fps: Frames a second at most.
        replaces: Whether it takes a room from another sender.
    """

    id: str
    meter: AddedMeter
    app_id: str
    app_slug: str
    room: str
    identity: str
    name: str
    settings: AppSettings
    max_fps: int
    replaces: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """A connection that sends to a room now.

    Attributes:
        slot: Where its frames go.
        since: When it connected, in milliseconds since the epoch.
        closing: Set with the reason when its connection is to end.
    """

    source: Source
    slot: Slot
    since: int
    closing: asyncio.Future[Close] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def room(self) -> str:
        """Its room's LiveKit name."""
        return self.source.room

    def close(self, why: Close) -> None:
        """End its connection; from now on nothing that it sends is taken."""
        if not self.closing.done():
            self.closing.set_result(why)

    async def ended(self, idle_timeout: float, last: Callable[[], float], *left: asyncio.Future[Close]) -> Close:
        """Wait until its connection is over, and why: closed, left, or nothing came for too long.

        Args:
            idle_timeout: Seconds.
            last: When its last frame came, on the monotonic clock.
            left: Complete when the peer has left, with the reason.
        """
        while (waited := time.monotonic() - last()) < idle_timeout:
            ends = {self.closing, *left}
            done, _ = await asyncio.wait(ends, timeout=idle_timeout - waited, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return done.pop().result()
        return IDLE


class Senders:
    """Keeps senders apart: frames of two never meet in one room.

    Args:
        hub: Where frames pass.
        running: Meters how long each sends.
    """

    def __init__(self, hub: Hub, running: RunningMeters) -> None:
        self._hub = hub
        self._running = running
        self._rooms: dict[str, Sender] = {}
        self._open: set[Sender] = set()
        self._listeners: list[Callable[[], None]] = []
        self._stopped = False
        self._all_left = asyncio.Event()

    def current(self) -> tuple[Sender, ...]:
        """All senders."""
        return tuple(self._rooms.values())

    def find(self, livekit_room: str) -> Sender | None:
        """The sender of a room."""
        return self._rooms.get(livekit_room)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the event loop, when a sender came or went."""
        self._listeners.append(listener)

    @contextmanager
    def sending(self, source: Source) -> Generator[Sender]:
        """Let a source send, for as long as the context lasts.

        An older connection of the same source is ended: a device that connects again knows that its last connection is
        dead.

        Raises:
            RoomTaken: Another source sends to the room, and this one does not replace it.
            Unavailable: The product stops.
        """
        if self._stopped:
            raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
        other = self._rooms.get(source.room)
        if other is not None:
            if other.source.id != source.id and not source.replaces:
                raise RoomTaken("Another source sends to this room.")
            other.close(REPLACED)
        running = self._running.run(source.meter, source.app_id, source.room)
        with running, self._hub.slot(source.room) as slot:
            sender = Sender(source, slot, now_ms())
            self._rooms[source.room] = sender
            self._open.add(sender)
            slot.begin()
            self._changed()
            try:
                yield sender
            finally:
                self._leave(sender, placeholder() if source.settings.of(StreamSettings).placeholder else None)
                self._open.discard(sender)
                if not self._open:
                    self._all_left.set()

    def evict(self, sender: Sender, why: Close) -> None:
        """End a sender's connection because its room is another node's now.

        It is gone at once, however long its connection takes to end; no placeholder is shown, because the room's next
        frames are on their way.
        """
        sender.close(why)
        self._leave(sender, None)

    async def close(self) -> None:
        """End every connection, because the product stops, and wait until each has sent its last message."""
        self._stopped = True
        self._all_left.clear()
        for sender in tuple(self._open):
            sender.close(GOING_AWAY)
        if self._open:
            try:
                async with asyncio.timeout(_LEAVING_SECONDS):
                    await self._all_left.wait()
            except TimeoutError:
                pass  # a peer that does not read its last message

    def _leave(self, sender: Sender, instead: Frame | None) -> None:
        if self._rooms.get(sender.room) is sender:
            del self._rooms[sender.room]
            sender.slot.clear(instead, sender.source.settings.of(StreamSettings).resume)
            self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
