"""One-frame slots, one per room: the newest frame wins, no viewer delays another, and skipped frames are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stagedoor.streams.jpeg import Size


@dataclass(slots=True, eq=False)
class Frame:
    """A JPEG frame as received.

    Attributes:
        number: The frame's sequence number within a slot.
        at: When the frame was received, in milliseconds since the epoch.
        part: The frame as a part of a multipart response, once encoded: all viewers share it.
        chunk: That part as a chunk of HTTP/1.1, likewise.
        message: The frame as a message of a WebSocket, likewise.
    """

    number: int
    at: int
    data: bytes
    size: Size
    part: bytes | None = field(default=None, init=False)
    chunk: bytes | None = field(default=None, init=False)
    message: bytes | None = field(default=None, init=False)


class EndOfStream(Exception):
    """The stream has ended: no camera has sent for longer than viewers wait, or the viewer was ended."""


class Viewer:
    """One viewer of a slot: receives the newest frame that it has not received yet, and never an older one.

    Attributes:
        dropped: The number of frames that were replaced before this viewer took them.
        last: The last frame that was taken, or written by `passing`.
        passed: The number of frames that `passing` wrote.
        refused: Whether the viewer was ended because it is no longer admitted.
    """

    __slots__ = (
        "_busy",
        "_encode",
        "_ended",
        "_newest",
        "_resting",
        "_waiter",
        "_write",
        "dropped",
        "last",
        "passed",
        "refused",
    )

    def __init__(self, newest: Frame | None) -> None:
        self._newest = newest
        self._waiter: asyncio.Future[None] | None = None
        self._resting: asyncio.Future[None] | None = None
        self._ended = False
        self._busy: Callable[[], int] | None = None
        self._write: Callable[[bytes], None]
        self._encode: Callable[[Frame], bytes]
        self.dropped = 0
        self.last: Frame | None = None
        self.passed = 0
        self.refused = False

    @contextmanager
    def passing(
        self, busy: Callable[[], int], write: Callable[[bytes], None], encode: Callable[[Frame], bytes]
    ) -> Generator[None]:
        """While the context lasts, write each new frame at once, without waking a task, unless an older one is pending.

        Args:
            busy: Returns how many bytes are still to be written; while there are any, a new frame waits to be taken.
            write: Writes the bytes that `encode` returned.
            encode: Encodes a frame.
        """
        self._busy, self._write, self._encode = busy, write, encode
        try:
            yield
        finally:
            self._busy = None

    def offer(self, frame: Frame) -> None:
        """Deliver a newer frame: write it directly inside `passing`, else keep it until it is taken."""
        if self._ended:
            return
        if self._newest is not None:
            self.dropped += 1
        elif self._busy is not None and not self._busy():
            self._write(self._encode(frame))
            self.last = frame
            self.passed += 1
            return
        self._newest = frame
        self._wake()

    def offer_again(self) -> None:
        """Deliver the last frame once more, unless a newer one is pending."""
        if self._newest is None and self.last is not None:
            self.offer(self.last)

    def end(self) -> None:
        """End the viewer's stream; frames that are offered later are ignored."""
        self._ended = True
        self._wake()
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)

    def refuse(self) -> None:
        """End the viewer's stream because the viewer is no longer admitted."""
        self.refused = True
        self.end()

    async def rest(self, seconds: float) -> None:
        """Wait for `seconds`, or until the stream ends."""
        if seconds > 0 and not self._ended:
            self._resting = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._resting}, timeout=seconds)

    async def next(self) -> Frame:
        """Wait for a frame that this viewer has not taken yet, and take the newest.

        Raises:
            EndOfStream: The stream has ended.
        """
        await self.ready()
        frame, self._newest = self._newest, None
        assert frame is not None  # noqa: S101 - it was ready, and nothing was awaited since
        self.last = frame
        return frame

    async def ready(self) -> None:
        """Wait for a frame without taking it: a newer one may still replace it.

        Raises:
            EndOfStream: The stream has ended.
        """
        while self._newest is None or self._ended:
            if self._ended:
                raise EndOfStream
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Slot:
    """The newest frame of one room, and the room's viewers.

    Attributes:
        newest: The last frame of the current sender; `None` without a sender.
        sending: Whether there is a sender, which may not have sent a frame yet.
        copies: Slots with the same frames in other sizes.
        undecodable: In a slot of another size, whether the last frame of its source could not be decoded.
    """

    __slots__ = ("_count", "_ending", "_viewers", "copies", "newest", "sending", "undecodable")

    def __init__(self) -> None:
        self.newest: Frame | None = None
        self.sending = False
        self.copies: set[Slot] = set()
        self.undecodable = False
        self._viewers: set[Viewer] = set()
        self._count = 0
        self._ending: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Note that a sender has connected."""
        self.sending = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def publish(self, at: int, data: bytes, size: Size) -> Frame:
        """Store a new frame and offer it to all viewers."""
        self._count += 1
        frame = self.newest = Frame(self._count, at, data, size)
        for viewer in self._viewers:
            viewer.offer(frame)
        return frame

    def clear(self, placeholder: Frame | None, timeout: float) -> None:
        """Note that the sender has left; viewers wait for the next one.

        Args:
            placeholder: The frame that viewers see meanwhile.
            timeout: Seconds after which the viewers' streams end.
        """
        self.newest = None
        self.sending = False
        for copy in self.copies:
            copy.newest = None
        if placeholder is not None:
            for viewer in self._viewers:
                viewer.offer(placeholder)
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(timeout, self.end)

    @contextmanager
    def view(self) -> Generator[Viewer]:
        """Add a viewer while the context lasts; its first frame is the newest."""
        viewer = Viewer(self.newest)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    @property
    def viewers(self) -> int:
        """The number of viewers."""
        return len(self._viewers)

    def end(self) -> None:
        """End the streams of all viewers."""
        self._ending = None
        for viewer in self._viewers:
            viewer.end()


class Hub:
    """The slots of this node's rooms, by LiveKit name; a slot exists while the room has a sender or a viewer."""

    def __init__(self) -> None:
        self._slots: dict[str, tuple[Slot, int]] = {}

    @contextmanager
    def slot(self, livekit_room: str) -> Generator[Slot]:
        """The room's slot, which is kept while the context lasts."""
        slot, users = self._slots.get(livekit_room, (Slot(), 0))
        self._slots[livekit_room] = slot, users + 1
        try:
            yield slot
        finally:
            slot, users = self._slots[livekit_room]
            if users == 1:
                del self._slots[livekit_room]
            else:
                self._slots[livekit_room] = slot, users - 1

    def find(self, livekit_room: str) -> Slot | None:
        """The room's slot; `None` when the room has neither sender nor viewer."""
        found = self._slots.get(livekit_room)
        return None if found is None else found[0]
