"""The limits of a stream's picture: its size, frame rate and bit rate."""

from __future__ import annotations

from typing import Final

from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.protocol import Limit, StreamLimits

_TOLERANCE: Final = 1.15
"""Encoders do not hold their bit rate, and frames come unevenly."""


def check_size(limits: StreamLimits, width: int, height: int) -> None:
    """Raise when a picture is larger than it may be.

    Raises:
        StreamFailed: It is.
    """
    if limits.max_width and width > limits.max_width:
        raise _exceeded("width", f"The video is {width} pixels wide; the limit is {limits.max_width}.")
    if limits.max_height and height > limits.max_height:
        raise _exceeded("height", f"The video is {height} pixels high; the limit is {limits.max_height}.")


def check_rates(limits: StreamLimits, bitrate: int, fps: float) -> None:
    """Raise when a stream has more of either than it may, as measured over some seconds.

    Raises:
        StreamFailed: It has.
    """
    if limits.max_bitrate and bitrate > limits.max_bitrate * _TOLERANCE:
        raise _exceeded(
            "bitrate",
            f"The video's bit rate is {bitrate // 1000} kbit/s; the limit is {limits.max_bitrate // 1000} kbit/s.",
        )
    if limits.max_fps and fps > limits.max_fps * _TOLERANCE:
        raise _exceeded("fps", f"The video has {fps:.0f} frames a second; the limit is {limits.max_fps}.")


def _exceeded(limit: Limit, message: str) -> StreamFailed:
    return StreamFailed("limit_exceeded", message, limit=limit)
