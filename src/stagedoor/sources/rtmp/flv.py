"""FLV, the file format whose tags RTMP's media messages are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

AUDIO: Final = 8
VIDEO: Final = 9
SCRIPT: Final = 18

FILE_HEADER: Final = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
"""Of a file with audio and video, with the size of no previous tag."""


def tag(kind: int, timestamp: int, payload: bytes) -> bytes:
    """One whole tag, with its size behind it.

    Args:
        timestamp: In milliseconds; the field has 32 bits, so it begins again after 49 days, which readers know.
    """
    size = len(payload)
    return b"".join(
        (
            bytes((kind,)),
            size.to_bytes(3, "big"),
            (timestamp & 0xFF_FFFF).to_bytes(3, "big"),
            bytes((timestamp >> 24 & 0xFF, 0, 0, 0)),
            payload,
            (size + 11).to_bytes(4, "big"),
        )
    )


def split(payload: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The kind, time and payload of each tag in an aggregate message; what is cut off at its end is left out."""
    at = 0
    while at + 11 <= len(payload):
        size = int.from_bytes(payload[at + 1 : at + 4], "big")
        timestamp = int.from_bytes(payload[at + 4 : at + 7], "big") | payload[at + 7] << 24
        end = at + 11 + size
        if end > len(payload):
            return
        yield payload[at], timestamp, payload[at + 11 : end]
        at = end + 4
