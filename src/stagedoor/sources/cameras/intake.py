"""Checks the frames of one camera for size, rate and validity, and publishes them to its room's slot.

A frame that is not accepted is dropped, counted and reported. The connection ends only when no valid frame follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from stagedoor.sources.cameras.close_codes import NOT_JPEG, TOO_BIG, TOO_FAST, Close
from stagedoor.sources.cameras.metrics import CAMERA_BYTES, CAMERA_DROPPED, CAMERA_FRAMES
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import JpegReader, NotJpeg

LARGEST_FRAME: Final = 8 * 1024 * 1024
"""Bytes; no app may allow larger frames, because a WebSocket message is in memory as a whole before it is checked."""

_FAR_TOO_FAST: Final = 5
_FAR_TOO_FAST_SECONDS: Final = 10
_BURST_SECONDS: Final = 0.5
"""Wireless links deliver in bursts what a camera captured evenly."""

_HOPELESS_SECONDS: Final = 30
_HOPELESS_MESSAGES: Final = 10
"""A camera that sent this many frames in this time, none of them valid, is disconnected."""

_RATE: Final = CAMERA_DROPPED.labels("rate")
_REFUSED: Final = CAMERA_DROPPED.labels("not_jpeg")
_LARGE: Final = CAMERA_DROPPED.labels("too_big")
_TEXT: Final = CAMERA_DROPPED.labels("not_stats")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rejection of a message.

    Attributes:
        reason: The label in the metric of dropped frames.
        message: What is wrong with the message, for the developer of the device.
    """

    reason: Literal["rate", "too_big", "not_jpeg", "not_stats"]
    message: str


_OVER_RATE: Final = Rejected("rate", "more frames came than the app's cameraMaxFps allows")


class Intake:
    """Accepts or rejects one camera's frames.

    Args:
        slot: The slot that accepted frames are published to.
        max_fps: The most frames a second; frames beyond that are dropped and counted, never queued.
        max_bytes: The size of the largest frame.
        now: The current time on a monotonic clock, in seconds.

    Attributes:
        frames: The number of accepted frames.
        dropped: The number of frames beyond `max_fps`.
        rejected: The number of messages that were rejected as invalid.
        rejection: The last of these rejections.
        last: When the last frame arrived, on the same clock; before the first one, the initial `now`.
    """

    __slots__ = (
        "_allowance",
        "_at",
        "_bad",
        "_bad_since",
        "_burst",
        "_max_bytes",
        "_max_fps",
        "_reader",
        "_slot",
        "_windows",
        "dropped",
        "frames",
        "last",
        "rejected",
        "rejection",
    )

    def __init__(self, slot: Slot, max_fps: int, max_bytes: int, now: float) -> None:
        self._slot = slot
        self._max_fps = max_fps
        self._max_bytes = max_bytes
        self._burst = max(2.0, max_fps * _BURST_SECONDS)
        self._allowance = self._burst
        self._at = now
        self._windows = (int(now), 0, 0)
        self._reader = JpegReader()
        self._bad = 0
        self._bad_since = now
        self.frames = 0
        self.dropped = 0
        self.rejected = 0
        self.rejection: Rejected | None = None
        self.last = now

    def take(self, data: bytes, now: float, now_ms: int) -> Rejected | Close | None:
        """Accept a frame; returns `None`, or why the frame was rejected, or why the connection is to end."""
        self.last = now
        if self._runs_wild(now):
            return TOO_FAST
        if len(data) > self._max_bytes:
            _LARGE.inc()
            message = f"the frame has {len(data)} bytes, and {self._max_bytes} is the most"
            return self._reject(Rejected("too_big", message), now, TOO_BIG)
        if not self._allowed(now):
            self.dropped += 1
            _RATE.inc()
            return _OVER_RATE
        try:
            picture, size = self._reader.read(data)
        except NotJpeg as error:
            _REFUSED.inc()
            return self._reject(Rejected("not_jpeg", str(error)), now, NOT_JPEG)
        self._bad = 0
        self._slot.publish(now_ms, picture, size)
        self.frames += 1
        CAMERA_FRAMES.value += 1
        CAMERA_BYTES.value += len(picture)
        return None

    def refuse(self, rejected: Rejected, count: int = 1) -> None:
        """Count messages that were rejected before they came here; `rejected` is the last of them."""
        self.rejected += count
        self.rejection = rejected

    def note(self, rejected: Rejected | None, now: float) -> Rejected | Close | None:
        """Count a text message, which was rejected or not; the result is as for `take`."""
        if self._runs_wild(now):
            return TOO_FAST
        if rejected is not None:
            _TEXT.inc()
            self.refuse(rejected)
        return rejected

    def _reject(self, rejected: Rejected, now: float, why: Close) -> Rejected | Close:
        self.refuse(rejected)
        if not self._bad:
            self._bad_since = now
        self._bad += 1
        return why if self._bad >= _HOPELESS_MESSAGES and now - self._bad_since >= _HOPELESS_SECONDS else rejected

    def _allowed(self, now: float) -> bool:
        self._allowance = min(self._burst, self._allowance + (now - self._at) * self._max_fps)
        self._at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _runs_wild(self, now: float) -> bool:
        """Whether far more messages than allowed arrived in each of the last ten seconds."""
        second, count, wild = self._windows
        current = int(now)
        if current != second:
            calm = current > second + 1 or count <= self._max_fps * _FAR_TOO_FAST
            second, count, wild = current, 0, 0 if calm else wild + 1
        self._windows = (second, count + 1, wild)
        return wild >= _FAR_TOO_FAST_SECONDS
