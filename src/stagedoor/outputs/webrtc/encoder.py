"""x264 for pictures that come one by one, at whatever rate, and are wanted at once."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

import av
from av.video.frame import PictureType

BITS_PER_PIXEL: Final = 0.1
"""The most that a frame may cost on average, for which one of 1280 by 720 at 25 a second stays below 2.3 Mbit/s."""

_GOP_SECONDS: Final = 2.0
_BT601: Final = 6
"""JPEG's matrix (JFIF), as H.264 numbers it: smpte170m."""
_VIDEO_LEVELS: Final = 1
_NEVER: Final = 1_000_000


def most_bits_per_second(width: int, height: int, fps: float) -> int:
    """What a track of this size may take."""
    return int(width * height * fps * BITS_PER_PIXEL)


class Encoder:
    """H.264 of one size.

    Quality is constant up to a ceiling, and both are counted by frame (x264 with `zerolatency` takes every frame to
    last equally long). So a camera that slows down costs less and looks the same. Key frames come by the clock.
    """

    def __init__(self, width: int, height: int, max_fps: float) -> None:
        self.width = width
        self.height = height
        self._count = 0
        self._keyed_at = 0.0
        self._context = context = av.CodecContext.create("libx264", "w")
        ceiling = str(most_bits_per_second(width, height, max_fps))
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.framerate = Fraction(max_fps).limit_denominator(1000)
        context.time_base = 1 / context.framerate
        context.thread_count = 1
        context.gop_size = _NEVER
        context.max_b_frames = 0
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        context.color_range = _VIDEO_LEVELS
        context.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "crf": "25",
            "maxrate": ceiling,
            "bufsize": ceiling,
            "forced-idr": "1",
            "sc_threshold": "0",
        }

    def encode(self, picture: av.VideoFrame, at: float, *, key: bool) -> tuple[bytes, bool]:
        """The access unit, and whether it is a key frame; `at` is seconds of a clock that never goes back."""
        key = key or self._count == 0 or at - self._keyed_at >= _GOP_SECONDS
        if key:
            self._keyed_at = at
        picture.pict_type = PictureType.I if key else PictureType.NONE
        picture.pts = self._count
        picture.time_base = self._context.time_base
        self._count += 1
        packets = cast("list[memoryview]", self._context.encode(picture))  # pyright: ignore[reportUnknownMemberType]
        return b"".join(map(bytes, packets)), key
