"""The handshake, with clients that sign and clients that do not."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.handshake import Handshake

PLAYER = b"Genuine Adobe Flash Player 001"
SERVER = b"Genuine Adobe Flash Media Server 001"
SUFFIX = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")


def signed_first(start: int) -> tuple[bytes, bytes]:
    """A C1 as Flash Player 9 makes it, and its digest."""
    body = bytearray(bytes(4) + bytes((9, 0, 124, 2)) + bytes(range(250)) * 7)[:1536]
    at = start + 4 + sum(body[start : start + 4]) % 728
    digest = hmac.new(PLAYER, bytes(body[:at] + body[at + 32 :]), hashlib.sha256).digest()
    body[at : at + 32] = digest
    return bytes(body), digest


@given(st.lists(st.integers(0, 3080), max_size=6).map(sorted), st.binary(max_size=40))
def test_any_pieces(cuts: list[int], behind: bytes) -> None:
    first = bytes(range(256)) * 6
    sent = b"\x03" + first[:4] + bytes(4) + first[8:] + bytes(1536) + behind
    handshake = Handshake()
    answered, rest = b"", b""
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        if handshake.done:
            rest += sent[start:end]
            continue
        out, over = handshake.feed(sent[start:end])
        answered += out
        rest += over
    assert handshake.done
    assert rest == behind
    assert answered[:1] == b"\x03"
    assert answered[5:9] == bytes(4)
    assert answered[1537:] == sent[1:1537]  # S2 repeats C1


@pytest.mark.parametrize("start", [8, 772])
def test_a_client_that_signs_gets_signatures(start: int) -> None:
    first, digest = signed_first(start)
    answered, _ = Handshake().feed(b"\x03" + first)
    second, third = answered[1:1537], answered[1537:]
    at = start + 4 + sum(second[start : start + 4]) % 728
    assert second[at : at + 32] == hmac.new(SERVER, second[:at] + second[at + 32 :], hashlib.sha256).digest()
    key = hmac.new(SERVER + SUFFIX, digest, hashlib.sha256).digest()
    assert third[-32:] == hmac.new(key, third[:-32], hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("sent", "code"), [(b"\x06", "rtmpe"), (b"\x08", "rtmpe"), (b"GET / HTTP/1.1", "not_rtmp"), (b"\x47", "not_rtmp")]
)
def test_what_is_not_plain_rtmp_is_refused_at_its_first_byte(sent: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        Handshake().feed(sent)
    assert raised.value.code == code
