"""Sealing."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.sealing import Sealer

SEALER = Sealer("the secret of this installation")


@given(st.binary(max_size=200))
def test_only_the_same_secret_opens(plain: bytes) -> None:
    sealed = SEALER.seal(plain)
    assert SEALER.open(sealed) == plain
    assert Sealer("another secret").open(sealed) is None
    assert len(plain) < 8 or plain not in sealed


@given(st.binary(min_size=8, max_size=50), st.data())
def test_a_changed_seal_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(urlsafe_b64decode(SEALER.seal(plain)))  # the last digit of base64 may hold bits without meaning
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    assert SEALER.open(urlsafe_b64encode(sealed)) is None


@given(st.binary(max_size=100))
def test_what_was_never_sealed_opens_to_nothing(sealed: bytes) -> None:
    assert SEALER.open(sealed) is None
