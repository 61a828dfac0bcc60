"""The signatures in the handshake of Flash Player 9 and later, for clients that check those of a server."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_SUFFIX: Final = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
_PLAYER: Final = b"Genuine Adobe Flash Player 001"
_SERVER: Final = b"Genuine Adobe Flash Media Server 001"
_DIGEST: Final = 32
_OFFSETS: Final = (8, 772)
"""Where the four bytes stand that say where the digest is, in the two schemes."""


def signature(first: bytes) -> tuple[bytes, int] | None:
    """The digest in a client's C1, and which of the two schemes put it there; `None` if there is none."""
    for start in _OFFSETS:
        at = _place(first, start)
        found = first[at : at + _DIGEST]
        if hmac.compare_digest(found, _sign(_PLAYER, first[:at] + first[at + _DIGEST :])):
            return found, start
    return None


def signed(first: bytes, scheme: int) -> bytes:
    """S1 with the server's digest."""
    at = _place(first, scheme)
    return first[:at] + _sign(_SERVER, first[:at] + first[at + _DIGEST :]) + first[at + _DIGEST :]


def answer(noise: bytes, client: bytes) -> bytes:
    """S2: random bytes, signed with the digest that the client sent.

    Args:
        noise: 1,504 random bytes.
        client: The digest in C1.
    """
    return noise + _sign(_sign(_SERVER + _SUFFIX, client), noise)


def _place(first: bytes, start: int) -> int:
    return start + 4 + sum(first[start : start + 4]) % 728


def _sign(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
