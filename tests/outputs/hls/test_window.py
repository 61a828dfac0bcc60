"""Windows and playlists hold the rules of RFC 8216bis, whatever comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from stagedoor.outputs.hls import playlist
from stagedoor.outputs.hls.window import EPOCH_SECONDS, Window, first_number
from stagedoor.streams.media.segments import Initialization, Part
from tests.support.hls_rules import Playlist, check, check_update, merged, parse

INITIALIZATION = Initialization("avc1.42c01f,mp4a.40.2", 1280, 720, 25.0)
TARGET, PART, LENGTH, FIRST = 2, 0.5, 6, 1_000
STEPS = st.lists(st.sampled_from(["part", "part", "part", "ends", "begin", "long"]), min_size=1, max_size=120)


def part(number: int, *, ends: bool = False, independent: bool = False) -> Part:
    return Part(duration=0.5, independent=independent, ends=ends, at=1_800_000_000_000 + number * 500)


def text(window: Window, *, skip: bool = False) -> Playlist:
    return parse(playlist.media(window, TARGET, PART, skip=skip))


def shown(window: Window) -> Playlist:
    found = text(window)
    check(found)
    return found


def filled(segments: int, *, parts: int = 4, max_bytes: int = 1 << 20, size: int = 10) -> Window:
    window = Window(LENGTH, FIRST, max_bytes)
    window.begin(INITIALIZATION, b"init")
    for number in range(segments * parts):
        window.add(
            part(number, ends=number % parts == parts - 1, independent=number % parts == 0),
            bytes([number % 256]) * size,
        )
    return window


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_playlists_hold_the_rules_whatever_comes(steps: list[str]) -> None:
    window, before, parts_open = Window(LENGTH, FIRST), None, 0
    window.begin(INITIALIZATION, b"init")
    for number, step in enumerate(steps):
        if step == "begin":
            window.begin(INITIALIZATION, b"init")
            parts_open = 0
        else:
            ends = step == "ends" or parts_open == 3
            made = part(number, ends=ends, independent=parts_open == 0)
            window.add(structs.replace(made, duration=1.4) if step == "long" else made, b"%d" % number)
            parts_open = 0 if ends else parts_open + 1
        after = text(window)
        if not any(round(segment.duration) > TARGET for segment in window.segments):
            check(after, steady="long" not in steps)
        assert len(after.segments) <= LENGTH
        for one in after.segments:
            assert window.find(one.uri.removeprefix("m/")) is not None
        for one in [*after.parts]:
            assert window.find(one.uri.removeprefix("m/")) is not None
        if before is not None:
            check_update(before, after)
            delta = text(window, skip=True)
            if delta.skipped and before.first <= delta.first:
                whole = [vars(one) | {"parts": 0, "discontinuity": 0} for one in after.segments]
                assert merged(before, delta) == whole
        before = after


def test_a_segment_is_its_parts_and_leaves_the_window_a_while_after_the_playlist() -> None:
    window = filled(LENGTH)
    first = shown(window).segments[0]
    pieces = [window.find(one.name) for one in window.segments[0].pieces]
    assert window.find(first.uri[2:]) == b"".join(piece for piece in pieces if piece)
    for number in range(LENGTH * 4):
        window.add(part(number, ends=number % 4 == 3), b"more")
    assert first.number not in {one.number for one in shown(window).segments}
    assert window.find(first.uri[2:]) is not None, "a player that is late cannot have it"
    for number in range(4):
        window.add(part(number, ends=number == 3), b"more")
    assert window.find(first.uri[2:]) is None


def test_all_viewers_get_the_same_memory() -> None:
    window = filled(2)
    uri = shown(window).segments[0].uri[2:]
    first, second = window.find(uri), window.find(uri)
    assert isinstance(first, memoryview)
    assert isinstance(second, memoryview)
    assert first.obj is second.obj, "a segment is copied for each viewer"
    for piece in window.segments[0].pieces:
        found = window.find(piece.name)
        assert isinstance(found, memoryview)
        assert found.obj is first.obj, "a complete segment is in memory twice"


def test_a_new_timeline_is_a_discontinuity_with_its_own_initialization() -> None:
    window = filled(3)
    before = shown(window)
    window.begin(INITIALIZATION, b"other")
    for number in range(8):
        window.add(part(number, ends=number % 4 == 3), b"x")
    after = shown(window)
    assert [one.discontinuity - before.discontinuity for one in after.segments] == [0, 0, 0, 1, 1]
    assert [window.find((one.map or "")[2:]) for one in after.segments] == [b"init"] * 3 + [b"other"] * 2
    for number in range(LENGTH * 4):
        window.add(part(number, ends=number % 4 == 3), b"x")
    assert shown(window).discontinuity == before.discontinuity + 1, "the one that left is not counted"


def test_names_cannot_be_derived_from_one_another() -> None:
    window = filled(LENGTH)
    secrets = [one.uri.split("/")[1] for one in shown(window).segments]
    assert len(set(secrets)) == LENGTH
    assert all(len(secret) >= 20 for secret in secrets)


def test_memory_has_a_bound_and_the_playlist_gets_shorter() -> None:
    window = filled(20, size=1_000, max_bytes=10_000)
    assert window.bytes <= 10_000
    assert 1 <= len(shown(window).segments) < LENGTH
    window.add(part(0), bytes(20_000))
    assert window.bytes <= 10_000
    window.add(part(1, ends=True), b"x")
    shown(window)


def test_the_first_number_is_of_the_clock_and_so_ahead_of_every_earlier_window() -> None:
    begun = (EPOCH_SECONDS + 500) * 1_000
    window = Window(LENGTH, first_number(begun))
    window.begin(INITIALIZATION, b"init")
    for number in range(60):
        window.add(part(number, ends=number % 2 == 1), b"x")  # segments of a second: no shorter ones are made
    assert first_number(begun + 30_000) >= window.next_number
    assert first_number(begun) < 2**31


def test_a_multivariant_playlist_says_what_the_variant_has() -> None:
    window = filled(3, size=50_000)
    assert window.timeline is not None
    found = playlist.multivariant(window.timeline, "video.m3u8?viewer=x")
    assert 'CODECS="avc1.42c01f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000' in found
    assert "BANDWIDTH=1000000,AVERAGE-BANDWIDTH=800000" in found
    assert found.endswith("\nvideo.m3u8?viewer=x\n")
