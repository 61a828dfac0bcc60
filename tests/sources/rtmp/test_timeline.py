"""Audio and video stay in step through wraps, gaps and jumps of the encoder's clock, and no time runs backwards."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.rtmp.timeline import Timeline

AUDIO, VIDEO = 8, 9


def played(clock: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The kinds and times of messages, given as kind, encoder's time and arrival."""
    timeline = Timeline()
    return [(kind, timeline.place(kind, raw & 0xFFFF_FFFF, now)) for kind, raw, now in clock]


def steady(start: int, milliseconds: int, wrap: int = 1 << 32) -> list[tuple[int, int, int]]:
    """Video every 40 ms and audio every 20 ms, by a clock that counts modulo `wrap`."""
    return [
        (kind, (start + at) % wrap, at)
        for at in range(0, milliseconds, 20)
        for kind in ((VIDEO, AUDIO) if at % 40 == 0 else (AUDIO,))
    ]


@pytest.mark.parametrize(
    ("start", "wrap"),
    [(0, 1 << 32), (1 << 31, 1 << 32), (0xFF_FF00, 1 << 32), (0xFF_FF00, 1 << 24), (0xFFFF_FF00, 1 << 32)],
)
def test_a_clock_that_wraps_goes_on(start: int, wrap: int) -> None:
    sent = steady(start, 2_000, wrap)
    found = played(sent)
    first = found[0][1]
    assert [at - first for _, at in found] == [now for _, _, now in sent]


def test_times_of_a_stream_that_begins_at_its_encoders_uptime_begin_near_zero() -> None:
    assert played(steady(5_000_000, 100))[0] == (VIDEO, 1_000)
    assert played(steady(40, 100))[0] == (VIDEO, 40)


def test_audio_that_began_a_little_earlier_has_its_place() -> None:
    assert played([(VIDEO, 90_000, 0), (AUDIO, 89_700, 0)]) == [(VIDEO, 1_000), (AUDIO, 700)]


def test_audio_that_comes_late_is_in_step() -> None:
    found = played([*((VIDEO, at, at) for at in range(0, 12_000, 40)), (AUDIO, 11_990, 12_000)])
    assert found[-1] == (AUDIO, 11_990)


def test_audio_with_a_clock_of_its_own_is_placed_by_its_arrival() -> None:
    found = played([(VIDEO, 1_700_000_000, 0), (AUDIO, 0, 0), (VIDEO, 1_700_000_040, 40), (AUDIO, 40, 40)])
    assert found == [(VIDEO, 1_000), (AUDIO, 1_000), (VIDEO, 1_040), (AUDIO, 1_040)]


def test_a_gap_in_which_time_passed_stays_a_gap() -> None:
    assert played([(VIDEO, 0, 0), (VIDEO, 60_000, 60_000), (AUDIO, 60_010, 60_000)])[1:] == [
        (VIDEO, 60_000),
        (AUDIO, 60_010),
    ]


@pytest.mark.parametrize("to", [0, 3_600_000, 1 << 31])
def test_a_clock_that_jumps_is_followed_by_both_tracks(to: int) -> None:
    before = steady(600_000, 4_000)
    after = [(kind, raw - 600_000 + to, now + 4_000) for kind, raw, now in steady(600_000, 4_000)]
    found = played(before + after)
    for kind in (AUDIO, VIDEO):
        times = [at for each, at in found if each == kind]
        steps = {later - earlier for earlier, later in itertools.pairwise(times)}
        assert max(steps) <= 60
        assert min(steps) > 0
    apart = {
        at - found[index + 1][1] for index, (kind, at) in enumerate(found[:-1]) if kind == VIDEO
    }  # each picture is followed by the sound of its time
    assert apart == {0}


def test_a_short_file_that_is_sent_in_a_loop_goes_on() -> None:
    once = steady(0, 3_000)
    sent = [(kind, raw, now + 3_000 * turn) for turn in range(4) for kind, raw, now in once]
    found = played(sent)
    for (_, at), (_, _, now) in zip(found, sent, strict=True):
        assert abs(at - now) <= 80


def test_one_wild_time_is_forgotten() -> None:
    sent = steady(0, 1_000)
    index = next(at for at, each in enumerate(sent) if each[:2] == (VIDEO, 480))
    sent[index] = (VIDEO, 999_999_999, 480)
    found = played(sent)
    assert abs(found[-1][1] - sent[-1][2]) <= 40


def test_the_same_time_twice_is_moved_by_a_millisecond() -> None:
    """Case N10: a camera that repeats one time in a minute."""
    assert played([(VIDEO, 0, 0), (VIDEO, 40, 40), (VIDEO, 40, 80), (VIDEO, 120, 120)]) == [
        (VIDEO, 0),
        (VIDEO, 40),
        (VIDEO, 41),
        (VIDEO, 120),
    ]


def test_a_configuration_may_have_the_time_of_its_picture() -> None:
    timeline = Timeline()
    assert timeline.place(VIDEO, 40, 0, distinct=False) == 40
    assert timeline.place(VIDEO, 40, 0) == 40


@given(
    st.lists(
        st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 0xFFFF_FFFF), st.integers(0, 9_999)), max_size=60
    )
)
def test_no_track_runs_backwards_whatever_comes(sent: list[tuple[int, int, int]]) -> None:
    now = 0
    clock: list[tuple[int, int, int]] = []
    for kind, raw, passed in sent:
        now += passed
        clock.append((kind, raw, now))
    found = played(clock)
    for kind in (AUDIO, VIDEO):
        times = [at for each, at in found if each == kind]
        assert all(at >= 0 for at in times)
        assert all(later > earlier for earlier, later in itertools.pairwise(times))


@given(st.integers(0, 0xFFFF_FFFF), st.lists(st.integers(-400, 2_000), max_size=50))
def test_tracks_stay_in_step_however_long_the_gaps(start: int, gaps: list[int]) -> None:
    at, clock = start, list[tuple[int, int, int]]()
    for gap in gaps:
        at += gap
        clock += [(VIDEO, at, 0), (AUDIO, at, 0)]
    timeline = Timeline()
    for (kind, raw, now), (other, same, _) in zip(clock[::2], clock[1::2], strict=True):
        picture = timeline.place(kind, raw & 0xFFFF_FFFF, now, distinct=False)
        assert timeline.place(other, same & 0xFFFF_FFFF, now, distinct=False) == picture
