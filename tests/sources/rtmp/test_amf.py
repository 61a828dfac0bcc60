"""What was written in AMF is read; anything else is the protocol error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp.amf0 import Amf0Reader, encode
from stagedoor.sources.rtmp.amf3 import Amf3Reader
from stagedoor.sources.rtmp.amf_values import DEEPEST, AmfValue
from stagedoor.sources.rtmp.errors import ProtocolError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: st.SearchStrategy[AmfValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(bool), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4))
def test_round_trip(values: list[AmfValue]) -> None:
    assert Amf0Reader(encode(*values)).values() == values


def test_a_long_text() -> None:
    assert Amf0Reader(encode("x" * 70_000)).values() == ["x" * 70_000]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("0b 40 8f 40 00 00 00 00 00 00 00", 1000.0),  # a date
        ("08 00000000 0001 61 01 01 0000 09", {"a": True}),  # an ECMA array with a wrong count
        ("0f 00000003 3c612f", "<a/"),  # XML
        ("10 0001 43 0001 61 05 0000 09", {"a": None}),  # an object with a class
        ("06", None),
        ("0a 00000001 02 0000", [""]),
        ("03 0001 61 07 0000 0000 09", None),  # a reference to itself
        ("11 04 7f", 127.0),
        ("11 04 ff ff ff ff", -1.0),
        ("11 06 07 616263", "abc"),
        ("11 09 05 01 06 03 61 06 00", ["a", "a"]),  # a text and a reference to it
        ("11 0a 0b 01 03 61 03 01", {"a": True}),  # a dynamic object
        ("11 0a 13 01 03 61 05 3ff0000000000000", {"a": 1.0}),  # one of a class with one member
        ("11 0c 05 0102", b"\1\2"),
        ("11 08 01 408f400000000000", 1000.0),
        ("11 09 03 03 61 04 01 01 04 02", {"a": 1.0, "0": 2.0}),
    ],
)
def test_what_others_write(data: str, value: AmfValue) -> None:
    found = Amf0Reader(bytes.fromhex(data)).values()
    if value is None and found[0] is not None:
        assert isinstance(found[0], dict)
        assert found[0]["a"] is found[0]
    else:
        assert found == [value]


def test_depth_has_a_bound() -> None:
    with pytest.raises(ProtocolError):
        Amf0Reader(b"\x0a\0\0\0\x01" * (DEEPEST + 2) + b"\x05").values()
    with pytest.raises(ProtocolError):
        Amf3Reader(b"\x09\x03\x01" * (DEEPEST + 2) + b"\x01").value()


def test_the_number_of_values_has_a_bound() -> None:
    with pytest.raises(ProtocolError):
        Amf0Reader(b"\x05" * 5_000).values()


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_the_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Amf0Reader(data).values()
    with contextlib.suppress(ProtocolError):
        Amf3Reader(data).value()


@given(VALUES, st.data())
def test_what_is_cut_off_is_the_protocol_error(value: AmfValue, data: st.DataObject) -> None:
    whole = encode(value)
    cut = data.draw(st.integers(1, len(whole)))
    if cut < len(whole):
        with pytest.raises(ProtocolError):
            Amf0Reader(whole[:cut]).values()
