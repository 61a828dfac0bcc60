"""The one STUN message that ICE asks with, and its answer (RFC 8489, RFC 8445 §7)."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from typing import Final

COOKIE: Final = 0x2112A442
_REQUEST: Final = 0x0001
_ANSWERS: Final = {0x0101, 0x0111}
"""Success, and an error such as a role conflict: both come from the ICE agent that was meant."""
_USERNAME, _INTEGRITY, _PRIORITY = 0x0006, 0x0008, 0x0024
_FINGERPRINT, _CONTROLLED = 0x8028, 0x8029
_HEADER: Final = struct.Struct("!HHI12s")


def binding_request(transaction: bytes, username: str, password: str) -> bytes:
    """A connectivity check.

    Args:
        transaction: 12 random bytes.
        username: The asked agent's fragment, a colon, the asking agent's fragment.
        password: The asked agent's.
    """
    body = _attribute(_USERNAME, username.encode())
    body += _attribute(_PRIORITY, struct.pack("!I", 0x7E0000FF))
    body += _attribute(_CONTROLLED, transaction[:8])
    # Each of the last two counts itself in the header's length.
    signed = _header(len(body) + 24, transaction) + body
    body += _attribute(_INTEGRITY, hmac.new(password.encode(), signed, hashlib.sha1).digest())
    summed = _header(len(body) + 8, transaction) + body
    body += _attribute(_FINGERPRINT, struct.pack("!I", zlib.crc32(summed) ^ 0x5354554E))
    return _header(len(body), transaction) + body


def is_answer(message: bytes, transaction: bytes) -> bool:
    """Whether this is the answer to the request with this transaction."""
    if len(message) < _HEADER.size:
        return False
    kind, _, cookie, theirs = _HEADER.unpack_from(message)
    return kind in _ANSWERS and cookie == COOKIE and theirs == transaction


def _header(length: int, transaction: bytes) -> bytes:
    return _HEADER.pack(_REQUEST, length, COOKIE, transaction)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
