"""One encoder's FLV is continued with another's."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp.splice import MOST_WAITING, OtherMedia, Splice
from stagedoor.streams.media.flv import HEADER, Tag, TagSplitter, timestamp_ms

AVC = b"\x17\x00\x00\x00\x00"
AAC = b"\xaf\x00"


def tag(kind: int, body: bytes, at: int) -> bytes:
    head = bytes((kind,)) + len(body).to_bytes(3, "big") + (at & 0xFF_FFFF).to_bytes(3, "big") + bytes((at >> 24,))
    return head + bytes(3) + body + (len(body) + 11).to_bytes(4, "big")


def video_parameters(text: bytes = b"avcC", at: int = 0) -> bytes:
    return tag(9, AVC + text, at)


def frame(at: int, *, key: bool = False) -> bytes:
    return tag(9, (b"\x17" if key else b"\x27") + b"\x01\x00\x00\x00picture", at)


def sound(at: int) -> bytes:
    return tag(8, b"\xaf\x01sound", at)


def encoder(first: int, frames: int, *, sps: bytes = b"avcC") -> bytes:
    """An encoder's FLV: metadata, parameters, and pictures and sound every 40 ms."""
    out = HEADER + tag(18, b"\x02\x00\x0aonMetaData", 0) + video_parameters(sps) + tag(8, AAC + b"\x11\x90", 0)
    for number in range(frames):
        out += frame(first + number * 40, key=number == 0) + sound(first + number * 40)
    return out


def tags_of(data: bytes) -> list[Tag]:
    return list(TagSplitter().feed(data))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


times = st.integers(0, 2**32 - 2_000)


@given(
    times, times, st.integers(1, 8), st.integers(1, 8), st.lists(st.integers(0, 5_000), max_size=12), st.floats(0, 90)
)
def test_times_go_on_however_the_bytes_are_cut(
    first: int, second: int, frames: int, more: int, cuts: list[int], pause: float
) -> None:
    clock = [100.0]
    splice = Splice(lambda: clock[0])
    out = b"".join(splice.feed(part) for part in cut(encoder(first, frames), cuts))
    assert out == encoder(first, frames), "one encoder alone is passed on as it is"
    clock[0] += pause
    splice.next_encoder()
    joined = b"".join(splice.feed(part) for part in cut(encoder(second, more), cuts))
    media = [found for found in tags_of(out + joined) if found.media]
    assert len(media) == 2 * (frames + more)
    ats = [timestamp_ms(found.data) for found in media]
    steps = [(after - before) & 0xFFFF_FFFF for before, after in pairwise(ats)]
    assert all(step in {0, 40} for step in steps[: 2 * frames - 1] + steps[2 * frames :])
    gap = steps[2 * frames - 1]
    assert gap == min(max(round(pause * 1000), 20), 60_000), "the pause is as long as it was"
    header = [found for found in tags_of(out + joined) if found.header]
    assert len(header) == 4
    assert b"".join(found.data[11:] for found in media[2 * frames :]) == b"".join(
        found.data[11:] for found in tags_of(encoder(second, more)) if found.media
    )


def test_a_third_encoder_goes_on_behind_the_second() -> None:
    clock = [0.0]
    splice = Splice(lambda: clock[0])
    out = splice.feed(encoder(0, 3))
    for _ in range(2):
        clock[0] += 1
        splice.next_encoder()
        out += splice.feed(encoder(7_000, 3))
    ats = [timestamp_ms(found.data) for found in tags_of(out) if found.kind == "video" and found.media]
    assert ats == [0, 40, 80, 1080, 1120, 1160, 2160, 2200, 2240]


def test_an_encoder_that_is_replaced_before_it_sent_a_picture_leaves_nothing_behind() -> None:
    splice = Splice(lambda: 0.0)
    out = splice.feed(encoder(0, 2))
    splice.next_encoder()
    assert splice.feed(HEADER + video_parameters()) == b""
    splice.next_encoder()
    out += splice.feed(encoder(500, 1))
    assert [timestamp_ms(found.data) for found in tags_of(out) if found.media] == [0, 0, 40, 40, 60, 60]


@pytest.mark.parametrize(
    "other",
    [
        encoder(0, 2, sps=b"avcC of another size"),
        HEADER + tag(9, b"\x90hvc1" + b"hvcC", 0) + tag(9, b"\x91hvc1picture", 0),
        HEADER + frame(0, key=True),
        HEADER + tag(8, b"\xaf\x00\x12\x10", 0) + sound(0),
        HEADER + b"".join(tag(18, b"\x02\x00\x01x", 0) for _ in range(MOST_WAITING + 1)),
    ],
    ids=["another size", "another codec", "no parameters", "another sound", "no media"],
)
def test_other_media_is_another_stream_and_nothing_of_it_is_lost(other: bytes) -> None:
    splice = Splice()
    splice.feed(encoder(0, 3))
    splice.next_encoder()
    with pytest.raises(OtherMedia) as found:
        feed_in_pieces(splice, other)
    assert other.startswith(found.value.data)
    splice.next_encoder()
    with pytest.raises(OtherMedia) as found:
        splice.feed(other + b"and what came in the same breath")
    assert found.value.data == other + b"and what came in the same breath"


def feed_in_pieces(splice: Splice, data: bytes) -> None:
    for place in range(0, len(data), 7):
        splice.feed(data[place : place + 7])
