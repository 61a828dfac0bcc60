"""Frames of one camera, on their way in: not too big, not too fast, whole, and then in its room's slot."""

from __future__ import annotations

from typing import Final

from stagedoor.sources.cameras.closing import NOT_JPEG, TOO_BIG, TOO_FAST, Close
from stagedoor.sources.cameras.metrics import CAMERA_BYTES, CAMERA_DROPPED, CAMERA_FRAMES
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import NotJpeg, measure

LARGEST_FRAME: Final = 8 * 1024 * 1024
"""Bytes; no app may take larger ones, because a WebSocket message is held whole before it can be refused."""

_FAR_TOO_FAST: Final = 5
_FAR_TOO_FAST_SECONDS: Final = 10
_BURST_SECONDS: Final = 0.5
"""A radio hands over in clumps what a camera took evenly."""

_TAKEN: Final = CAMERA_FRAMES
_RATE: Final = CAMERA_DROPPED.labels("rate")
_REFUSED: Final = CAMERA_DROPPED.labels("not_jpeg")
_LARGE: Final = CAMERA_DROPPED.labels("too_big")


class Intake:
    """Takes one camera's frames.

    Args:
        slot: Where frames go.
        max_fps: Frames a second that are taken; what is more is dropped and counted, never queued.
        max_bytes: The largest frame.
        now: Seconds on a clock that only goes forward.

    Attributes:
        frames: How many were taken.
        dropped: How many came too fast.
        last: When the last one came, on the same clock; the beginning, before the first.
    """

    __slots__ = (
        "_allowance",
        "_at",
        "_burst",
        "_max_bytes",
        "_max_fps",
        "_slot",
        "_windows",
        "dropped",
        "frames",
        "last",
    )

    def __init__(self, slot: Slot, max_fps: int, max_bytes: int, now: float) -> None:
        self._slot = slot
        self._max_fps = max_fps
        self._max_bytes = max_bytes
        self._burst = max(2.0, max_fps * _BURST_SECONDS)
        self._allowance = self._burst
        self._at = now
        self._windows = (int(now), 0, 0)
        self.frames = 0
        self.dropped = 0
        self.last = now

    def take(self, data: bytes, now: float, now_ms: int) -> Close | None:
        """Take a frame; an answer is the reason to end the connection."""
        self.last = now
        if len(data) > self._max_bytes:
            _LARGE.inc()
            return TOO_BIG
        if self._runs_wild(now):
            return TOO_FAST
        if not self._allowed(now):
            self.dropped += 1
            _RATE.inc()
            return None
        try:
            picture, size = measure(data)
        except NotJpeg:
            _REFUSED.inc()
            return NOT_JPEG
        self._slot.publish(now_ms, picture, size)
        self.frames += 1
        _TAKEN.inc()
        CAMERA_BYTES.inc(len(picture))
        return None

    def _allowed(self, now: float) -> bool:
        self._allowance = min(self._burst, self._allowance + (now - self._at) * self._max_fps)
        self._at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _runs_wild(self, now: float) -> bool:
        """Whether far too many frames came in each of the last seconds."""
        second, count, wild = self._windows
        current = int(now)
        if current != second:
            calm = current > second + 1 or count <= self._max_fps * _FAR_TOO_FAST
            second, count, wild = current, 0, 0 if calm else wild + 1
        self._windows = (second, count + 1, wild)
        return wild >= _FAR_TOO_FAST_SECONDS
