"""The senders of this node, of any protocol: at most one per room, with takeover by newer connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
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
    """Another source sends to the room, and the new one does not replace it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of frames, as far as outputs depend on it.

    Attributes:
        id: The id of the camera, or of the source of another protocol.
        meter: The meter that counts the source's time.
        room: The LiveKit name of the source's room.
        identity: The identity of the source's participant when it is published to the room.
        settings: The app's settings when the source connected.
        max_fps: The most frames a second.
        replaces: Whether the source takes the room over from another source.
        protocol: How its frames come, as the attribute of its participant says it.
        metadata: The metadata of its participant.
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
    protocol: str = "camera"
    metadata: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """A connection that sends to a room now.

    Attributes:
        slot: The slot that the sender's frames are published to.
        since: When the sender connected, in milliseconds since the epoch.
        closing: Set with the reason when the sender's connection is to end.
    """

    source: Source
    slot: Slot
    since: int
    closing: asyncio.Future[Close] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def room(self) -> str:
        """The LiveKit name of the sender's room."""
        return self.source.room

    def close(self, why: Close) -> None:
        """Request the end of the sender's connection; from now on its frames are refused."""
        if not self.closing.done():
            self.closing.set_result(why)

    async def ended(self, idle_timeout: float, last: Callable[[], float], *left: asyncio.Future[Close]) -> Close:
        """Wait until the sender's connection ends, and return why: closed, left by the peer, or idle.

        Args:
            idle_timeout: Seconds without a frame after which the connection is idle.
            last: Returns when the last frame was received, on the monotonic clock.
            left: Futures that complete with the reason when the peer has left.
        """
        while (waited := time.monotonic() - last()) < idle_timeout:
            ends = {self.closing, *left}
            done, _ = await asyncio.wait(ends, timeout=idle_timeout - waited, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return done.pop().result()
        return IDLE


class Senders:
    """Keeps at most one sender per room, so that frames of two senders never mix.

    Args:
        hub: The slots of this node.
        running: Meters how long each sender is connected.
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
        """All current senders."""
        return tuple(self._rooms.values())

    def find(self, livekit_room: str) -> Sender | None:
        """The current sender of a room."""
        return self._rooms.get(livekit_room)

    def slot(self, livekit_room: str) -> AbstractContextManager[Slot]:
        """Keep the room's slot while the context lasts: a sender that connects again then publishes to the same one."""
        return self._hub.slot(livekit_room)

    def listen(self, listener: Callable[[], None]) -> None:
        """Register `listener`, which is called on the event loop when a sender connects or leaves."""
        self._listeners.append(listener)

    @contextmanager
    def sending(self, source: Source) -> Generator[Sender]:
        """Register a source as its room's sender while the context lasts.

        An older connection of the same source is ended: a device connects again only when its last connection is dead.

        Raises:
            RoomTaken: Another source sends to the room, and this one does not replace it.
            Unavailable: Stagedoor is stopping.
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
        """End a sender's connection because a camera of another node has taken the room over.

        The sender is removed at once, however long its connection takes to end. No placeholder is shown, because frames
        of the other camera follow.
        """
        sender.close(why)
        self._leave(sender, None)

    async def close(self) -> None:
        """End every connection, because Stagedoor stops, and wait until each has sent its last message."""
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
