"""H.264 with x264 for viewers by WebRTC: no B-frames, no look-ahead, key frames on request, one thread."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

import av
from av.codec.context import CodecContext
from av.video.frame import PictureType

MAX_LONG_SIDE: Final = 1920
MAX_SHORT_SIDE: Final = 1080
"""Larger pictures are made smaller when they are encoded."""
MAX_BITRATE: Final = 6_000_000
_BITS_PER_PIXEL: Final = 0.1
_LEAST_BITRATE: Final = 300_000
_EASY_PIXELS: Final = 1280 * 720
_LEAST_FPS: Final = 10
_MOST_FPS: Final = 60
_NEVER: Final = 1_000_000


def fitting(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is encoded: even, and no larger than the largest."""
    scale = min(1.0, MAX_LONG_SIDE / max(width, height), MAX_SHORT_SIDE / min(width, height))
    return max(16, int(width * scale) & ~1), max(16, int(height * scale) & ~1)


class Encoder:
    """Encodes pictures of one size.

    Args:
        fps: How many pictures a second come about.
        bitrate: The bit rate to keep to; 0 chooses one by the size.
    """

    def __init__(self, width: int, height: int, fps: float, bitrate: int) -> None:
        self.width, self.height = width, height
        rate = min(max(round(fps), _LEAST_FPS), _MOST_FPS)
        bits = str(min(bitrate or max(_LEAST_BITRATE, int(width * height * rate * _BITS_PER_PIXEL)), MAX_BITRATE))
        self._count = 0
        self._context = context = CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        # x264 without look-ahead takes every frame to last equally long, whatever its time stamp.
        context.framerate = Fraction(rate)
        context.time_base = Fraction(1, rate)
        context.thread_count = 1
        context.gop_size = _NEVER
        context.max_b_frames = 0
        context.options = {
            "preset": "veryfast" if width * height <= _EASY_PIXELS else "superfast",
            "tune": "zerolatency",
            "profile": "high",
            "crf": "24",
            "maxrate": bits,
            "bufsize": bits,
            "forced-idr": "1",
            "sc_threshold": "0",
        }

    def encode(self, picture: av.VideoFrame, *, key: bool) -> bytes:
        """Encode a picture; an access unit in Annex B form, with parameter sets when it is a key frame."""
        if (picture.width, picture.height, picture.format.name) != (self.width, self.height, "yuv420p"):
            picture = picture.reformat(self.width, self.height, "yuv420p")
        picture.pict_type = PictureType.I if key or self._count == 0 else PictureType.NONE
        picture.pts, picture.time_base = self._count, self._context.time_base
        self._count += 1
        packets = cast("list[memoryview]", self._context.encode(picture))  # pyright: ignore[reportUnknownMemberType]
        return b"".join(map(bytes, packets))
