"""Low-latency H.264 with x264, for pictures that arrive one at a time at a variable rate."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

import av
from av.video.frame import PictureType

BITS_PER_PIXEL: Final = 0.1
"""The average bit budget of a frame; with it 1280 by 720 at 25 frames a second stays below 2.3 Mbit/s."""

_GOP_SECONDS: Final = 2.0
_BT601: Final = 6
"""The colour matrix of JPEG (JFIF) by its number in H.264: smpte170m."""
_VIDEO_LEVELS: Final = 1
_NEVER: Final = 1_000_000


def most_bits_per_second(width: int, height: int, fps: float) -> int:
    """The maximum bit rate of a track of this size."""
    return int(width * height * fps * BITS_PER_PIXEL)


class Encoder:
    """Encodes pictures of one size as H.264.

    Quality is constant up to a maximum bit rate, and both are computed per frame (x264 with `zerolatency` assumes that
    every frame lasts equally long). So a slower camera costs less at the same quality. Key frames follow the clock.
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
        """Encode a picture; returns the access unit and whether it is a key frame. `at` is monotonic, in seconds."""
        key = key or self._count == 0 or at - self._keyed_at >= _GOP_SECONDS
        if key:
            self._keyed_at = at
        picture.pict_type = PictureType.I if key else PictureType.NONE
        picture.pts = self._count
        picture.time_base = self._context.time_base
        self._count += 1
        packets = cast("list[memoryview]", self._context.encode(picture))  # pyright: ignore[reportUnknownMemberType]
        return b"".join(map(bytes, packets)), key
