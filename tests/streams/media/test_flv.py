"""FLV is split into tags however its bytes come, and what is no FLV ends in one kind of error."""

from __future__ import annotations

import contextlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.flv import HEADER, LIVE_MARK, NotFlv, Tag, TagSplitter
from stagedoor.streams.media.replay import MAX_BYTES, Replay
from tests.support import flv


@cache
def stream() -> list[flv.Tag]:
    return flv.encode(2, size=(64, 48), group=10)


def whole() -> bytes:
    return HEADER + b"".join(one.data for one in stream())


def test_sequence_headers_and_key_frames_are_known() -> None:
    tags = list(TagSplitter().feed(whole()))
    assert [one.data for one in tags] == [one.data for one in stream()]
    assert [one.kind for one in tags if one.header] == ["video", "audio"]
    assert sum(one.key for one in tags) == 5
    assert not any(one.media for one in tags if one.header or one.kind == "script")


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_any_cuts_give_the_same_tags(sizes: list[int]) -> None:
    data, splitter, tags, position = whole(), TagSplitter(), list[Tag](), 0
    for size in sizes:
        tags += splitter.feed(data[position : position + size])
        position += size
    tags += splitter.feed(data[position:])
    assert [one.data for one in tags] == [one.data for one in stream()]


@given(st.binary(max_size=400), st.booleans(), st.integers(0, 2_000))
def test_noise_is_no_flv_or_incomplete(noise: bytes, begun: bool, place: int) -> None:
    data = whole()[:place] + noise if begun else noise
    splitter = TagSplitter()
    with contextlib.suppress(NotFlv):
        for one in splitter.feed(data):
            assert len(one.data) >= 15


@given(st.integers(0, 255), st.binary(max_size=40))
def test_any_body_is_a_tag(kind: int, body: bytes) -> None:
    [one] = TagSplitter().feed(HEADER + flv.tag(kind, 5, body).data)
    assert not (one.header and one.media)


def test_a_new_worker_gets_the_headers_and_the_running_group() -> None:
    replay = Replay()
    for one in TagSplitter().feed(whole()):
        replay.note(one)
    kept = list(TagSplitter().feed(replay.data()))
    assert kept[-1].data == LIVE_MARK
    assert [one.header for one in kept[:2]] == [True, True]
    group = kept[2:-1]
    assert group[0].key
    assert not any(one.key for one in group[1:])
    assert group[-1].data == [one for one in stream() if one.kind == 9 and len(one.body) > 5][-1].data


def test_an_endless_group_is_not_kept() -> None:
    replay = Replay()
    for one in TagSplitter().feed(whole()):
        replay.note(one)
    size = 1 << 20
    for number in range(MAX_BYTES // size + 1):
        [one] = TagSplitter().feed(HEADER + flv.tag(9, 3_000 + number, b"\x27\x01\0\0\0" + bytes(size)).data)
        replay.note(one)
    assert len(replay.data()) < 1_000


@pytest.mark.parametrize(
    ("body", "header", "key", "media"),
    [
        (b"\x90hvc1" + bytes(20), True, False, False),  # enhanced RTMP: sequence start
        (b"\x91hvc1" + bytes(20), False, True, True),
        (b"\xa3hvc1" + bytes(20), False, False, True),
        (b"\x94hvc1" + bytes(20), False, False, False),  # metadata
        (b"\x17\x00\0\0\0" + bytes(9), True, False, False),
        (b"\x17\x02\0\0\0", False, False, False),  # end of sequence
        (b"\x1c\x01\0\0\0" + bytes(9), False, True, True),  # HEVC under codec id 12
        (b"\x12" + bytes(9), False, True, True),  # Sorenson
    ],
)
def test_video_tags_of_every_kind(body: bytes, header: bool, key: bool, media: bool) -> None:
    [one] = TagSplitter().feed(HEADER + flv.tag(9, 0, body).data)
    assert (one.header, one.key, one.media) == (header, key, media)
