"""The rooms' one-frame slots: the newest frame wins, nobody waits for anybody, and what was not taken is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stagedoor.streams.jpeg import Size


@dataclass(slots=True, eq=False)
class Frame:
    """A JPEG as it came.

    Attributes:
        number: Counts up within a slot.
        at: When it came in, in milliseconds since the epoch.
        part: The frame as a part of a multipart answer, once somebody has made it: it is the same for every viewer.
        chunk: That part as a chunk of HTTP/1.1, likewise.
    """

    number: int
    at: int
    data: bytes
    size: Size
    part: bytes | None = field(default=None, init=False)
    chunk: bytes | None = field(default=None, init=False)


class Gone(Exception):
    """Nobody has sent for so long that viewers need not wait any more."""


class Viewer:
    """One who looks at a slot: sees the newest frame that it has not seen, and never an older one.

    Attributes:
        dropped: Frames that were replaced before this viewer took them.
        last: The frame that was taken last, or went straight.
        passed: Frames that went straight to where `passing` said.
    """

    __slots__ = (
        "_busy",
        "_encode",
        "_gone",
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
        self._gone = False
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
        """Meanwhile write each new frame at once, without waking anybody, unless an older one has not been taken yet.

        Args:
            busy: Tells how much is still to be written; a frame that comes meanwhile waits to be taken.
            write: Takes what `encode` makes of a frame.
        """
        self._busy, self._write, self._encode = busy, write, encode
        try:
            yield
        finally:
            self._busy = None

    def offer(self, frame: Frame) -> None:
        """There is a newer frame."""
        if self._gone:
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
        """Offer the last frame once more, unless there is a newer one."""
        if self._newest is None and self.last is not None:
            self.offer(self.last)

    def end(self) -> None:
        """There will be none any more, whatever still comes."""
        self._gone = True
        self._wake()
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)

    def refuse(self) -> None:
        """End it because it is not admitted any more."""
        self.refused = True
        self.end()

    async def rest(self, seconds: float) -> None:
        """Take nothing for so long, or until there will be none."""
        if seconds > 0 and not self._gone:
            self._resting = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._resting}, timeout=seconds)

    async def next(self) -> Frame:
        """The newest frame, as soon as there is one that was not taken yet.

        Raises:
            Gone: There will be none.
        """
        await self.ready()
        frame, self._newest = self._newest, None
        assert frame is not None  # noqa: S101 - it was ready, and nothing was awaited since
        self.last = frame
        return frame

    async def ready(self) -> None:
        """Return when there is a frame to take, and leave it: a newer one may still come in its place.

        Raises:
            Gone: There will be none.
        """
        while self._newest is None or self._gone:
            if self._gone:
                raise Gone
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Slot:
    """Where the frames of one room pass.

    Attributes:
        newest: The last frame that came while somebody sent; `None` when nobody does.
        sending: Whether somebody sends, or is about to.
        copies: Slots with the same frames in other sizes.
        undecodable: Whether the last frame of its source could not be decoded, in a slot of another size.
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
        """Somebody is about to send."""
        self.sending = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def publish(self, at: int, data: bytes, size: Size) -> Frame:
        """A frame came."""
        self._count += 1
        frame = self.newest = Frame(self._count, at, data, size)
        for viewer in self._viewers:
            viewer.offer(frame)
        return frame

    def clear(self, placeholder: Frame | None, patience: float) -> None:
        """Nobody sends any more; viewers stay for some time and wait.

        Args:
            slate: What they see meanwhile.
            patience: For so many seconds they wait.
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
        self._ending = asyncio.get_running_loop().call_later(patience, self.end)

    @contextmanager
    def view(self) -> Generator[Viewer]:
        """Look at it, from the newest frame on."""
        viewer = Viewer(self.newest)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    @property
    def viewers(self) -> int:
        """Who looks now."""
        return len(self._viewers)

    def end(self) -> None:
        """Nobody need wait any more."""
        self._ending = None
        for viewer in self._viewers:
            viewer.end()


class Hub:
    """The slots of this node's rooms, by LiveKit name; one exists while somebody sends to it or looks at it."""

    def __init__(self) -> None:
        self._slots: dict[str, tuple[Slot, int]] = {}

    @contextmanager
    def slot(self, livekit_room: str) -> Generator[Slot]:
        """The room's slot, for as long as the caller has to do with it."""
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
        """The room's slot, if there is one."""
        found = self._slots.get(livekit_room)
        return None if found is None else found[0]
