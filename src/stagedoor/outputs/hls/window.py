"""The sliding window of a room's HLS: its segments and parts, and their numbers. Pure.

Numbers never go back, also not over restarts and nodes: the first number of a window is the number of seconds since an
epoch, and a segment lasts a second at least, so the clock is always ahead of what an earlier window has reached. The
same holds for the sequence of discontinuities.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from stagedoor.streams.media.segments import Initialization, Part

EPOCH_SECONDS: Final = 1_767_225_600
"""2026-01-01; numbers stay below 2³¹ for 68 years."""
MAX_BYTES: Final = 128 << 20
"""Of one room; the oldest segments go earlier when there are more."""
_SECRET_BYTES: Final = 16


def first_number(now_ms: int) -> int:
    """The number that a window which begins now begins with."""
    return max(0, now_ms // 1_000 - EPOCH_SECONDS)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a segment.

    Attributes:
        name: Its path below `m/`.
    """

    name: str
    header: Part
    media: bytes | memoryview


@dataclass(slots=True, eq=False)
class Timeline:
    """What follows one initialization segment.

    Attributes:
        name: The path of the initialization segment below `m/`.
        peak: Bits a second of its largest segment, 0 before one is complete.
        total: Bytes of its complete segments.
        seconds: Their duration.
    """

    name: str
    initialization: Initialization
    media: bytes
    peak: float = 0.0
    total: int = 0
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class Segment:
    """A segment.

    Attributes:
        number: Its media sequence number.
        discontinuity: The number of discontinuities up to and with its beginning.
        begins_timeline: Whether a discontinuity stands before it.
        secret: Is in the paths of its media: who is not given it cannot guess them.
        whole: All of it once it is complete. The pieces are views of it, so that neither is copied for each viewer,
            and it is in memory once.
    """

    number: int
    discontinuity: int
    begins_timeline: bool
    timeline: Timeline
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(_SECRET_BYTES))
    pieces: list[Piece] = field(default_factory=list[Piece])
    complete: bool = False
    bytes: int = 0
    whole: memoryview = field(default_factory=lambda: memoryview(b""))

    @property
    def name(self) -> str:
        """Its path below `m/`."""
        return f"{self.secret}/{self.number}.mp4"

    @property
    def duration(self) -> float:
        """In seconds, of the parts that there are."""
        return sum(piece.header.duration for piece in self.pieces)

    @property
    def at(self) -> int:
        """When its first picture was taken, in milliseconds since the epoch."""
        return self.pieces[0].header.at

    def part_name(self, index: int) -> str:
        """The path below `m/` of a part, which need not be there yet."""
        return f"{self.secret}/{self.number}.{index}.mp4"

    def end(self) -> None:
        """Complete it, in one piece of memory."""
        whole, begin = memoryview(b"".join(piece.media for piece in self.pieces)), 0
        for at, piece in enumerate(self.pieces):
            media = whole[begin : begin + len(piece.media)]
            self.pieces[at] = Piece(piece.name, piece.header, media)
            begin += len(media)
        self.whole, self.complete = whole, True


class Window:
    """A window.

    Args:
        length: Complete segments that the playlist has. As many again can still be had after they have left it.
        number: The first media sequence number.
        max_bytes: Of all segments.

    Attributes:
        version: Another number after each change.
        bytes: Of all that is kept.
    """

    def __init__(self, length: int, number: int, max_bytes: int = MAX_BYTES) -> None:
        self._length = length
        self._max_bytes = max_bytes
        self._next = number
        self._discontinuity = number
        self._kept: deque[Segment] = deque()
        self._left = 0
        self._open: Segment | None = None
        self._timeline: Timeline | None = None
        self._begins = False
        self._named: dict[str, Timeline | Segment | Piece] = {}
        self.version = 0
        self.bytes = 0

    @property
    def segments(self) -> list[Segment]:
        """The complete segments of the playlist."""
        return list(itertools.islice(self._kept, self._left, None))

    @property
    def open(self) -> Segment:
        """The segment that is being made; it may have no part yet.

        Its timeline is that of the segment before, until it is known to be another one.
        """
        assert self._open is not None  # noqa: S101 - it is not asked before there is a timeline
        return self._open

    @property
    def timeline(self) -> Timeline | None:
        """The newest one."""
        return self._timeline

    @property
    def next_number(self) -> int:
        """The number of the segment that is being made, or will be made next."""
        return self._open.number if self._open is not None else self._next

    @property
    def next_part(self) -> int:
        """The index of the part that comes next in it."""
        return len(self._open.pieces) if self._open is not None else 0

    @property
    def hint(self) -> str:
        """The path below `m/` of the part that comes next."""
        return self.open.part_name(len(self.open.pieces))

    @property
    def first_discontinuity(self) -> int:
        """The discontinuity sequence number of the playlist's first segment, without the one before it."""
        first = next(itertools.islice(self._kept, self._left, None), None) or self._open
        if first is None:
            return self._discontinuity
        return first.discontinuity - first.begins_timeline

    def begin(self, initialization: Initialization, media: bytes) -> None:
        """A timeline begins."""
        self._close_open()
        name = f"{secrets.token_urlsafe(_SECRET_BYTES)}/init.mp4"
        previous = self._timeline
        if previous is not None and all(one.timeline is not previous for one in self._kept):
            self._named.pop(previous.name, None)
        self._timeline = Timeline(name, initialization, media)
        self._named[name] = self._timeline
        self._begins = previous is not None
        if self._begins:
            self._discontinuity += 1
        self._open_next()
        self.version += 1

    def add(self, header: Part, media: bytes) -> None:
        """Add a part to the segment that is being made."""
        segment = self._open
        if segment is None:
            return
        piece = Piece(segment.part_name(len(segment.pieces)), header, media)
        segment.pieces.append(piece)
        segment.bytes += len(media)
        self.bytes += len(media)
        self._named[piece.name] = piece
        if header.ends:
            self._close_open()
            self._open_next()
        self._shed()
        self.version += 1

    def find(self, name: str) -> bytes | memoryview | None:
        """The media at a path below `m/`."""
        found = self._named.get(name)
        if isinstance(found, Segment):
            return found.whole
        return None if found is None else found.media

    def has(self, number: int, part: int | None) -> bool:
        """Whether the playlist has the segment, or with `part` that part of it or a later one."""
        if number < self.next_number:
            return True
        if part is None or number > self.next_number:
            return False
        return part < self.next_part

    def listed(self) -> Iterator[Segment]:
        """The segments of the playlist, with the one that is being made when it has parts."""
        yield from self.segments
        if self._open is not None and self._open.pieces:
            yield self._open

    def _open_next(self) -> None:
        assert self._timeline is not None  # noqa: S101 - a segment is opened in one
        self._open = Segment(self._next, self._discontinuity, self._begins, self._timeline)
        self._next += 1
        self._begins = False

    def _close_open(self) -> None:
        segment, self._open = self._open, None
        if segment is None:
            return
        if not segment.pieces:  # its number has been in no playlist but as one to come
            self._next = segment.number
            self._begins = segment.begins_timeline
            if self._begins:
                self._discontinuity -= 1
            return
        segment.end()
        self._named |= {piece.name: piece for piece in segment.pieces}
        timeline, seconds = segment.timeline, segment.duration
        if seconds:
            timeline.peak = max(timeline.peak, segment.bytes * 8 / seconds)
            timeline.total += segment.bytes
            timeline.seconds += seconds
        self._named[segment.name] = segment
        self._kept.append(segment)
        self._left = max(self._left, len(self._kept) - self._length)

    def _shed(self) -> None:
        """Drop what has been out of the playlist for long, and more when there is too much, at last the open one."""
        while self._kept and (len(self._kept) > 2 * self._length or self.bytes > self._max_bytes):
            gone = self._kept.popleft()
            self._left = max(0, self._left - 1)
            self.bytes -= gone.bytes
            del self._named[gone.name]
            for piece in gone.pieces:
                del self._named[piece.name]
            if gone.timeline is not self._timeline and all(one.timeline is not gone.timeline for one in self._kept):
                self._named.pop(gone.timeline.name, None)
        if self.bytes > self._max_bytes and self._open is not None:
            for piece in self._open.pieces:
                del self._named[piece.name]
            self.bytes = 0
            self._begins, self._discontinuity = True, self._discontinuity + 1
            self._open_next()
