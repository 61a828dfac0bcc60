"""The head of a WebSocket frame (RFC 6455, section 5.2), read to know where the frame ends."""

from __future__ import annotations

import sys
from typing import Final

try:
    from websockets.speedups import apply_mask as unmasked
except ImportError:  # as `websockets` does where it could not be compiled
    from websockets.utils import apply_mask as unmasked

__all__ = ["WHOLE_BINARY", "extent", "unmasked"]

WHOLE_BINARY: Final = 0x82
"""The first byte of a binary message that is not fragmented and has no extension."""

_MASKED: Final = 0x80
_SHORT_LENGTH: Final = 126
_LENGTH_BYTES: Final = {126: 2, 127: 8}


def extent(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """The lengths of a client's frame: of its head, and of its payload.

    A frame that is not masked ends the connection: all that follows is taken for its payload.

    Args:
        data: What was received.
        at: Where the frame begins.

    Returns:
        The length of the head, which may be greater than what was received; without the head, the payload's is 0.
    """
    if at + 2 > len(data):
        return 2, 0
    second = data[at + 1]
    if not second & _MASKED:
        return 2, sys.maxsize
    length = second & ~_MASKED
    if length < _SHORT_LENGTH:
        return 6, length
    end = at + 2 + _LENGTH_BYTES[length]
    if end > len(data):
        return end - at, 0
    return end + 4 - at, int.from_bytes(data[at + 2 : end], "big")
