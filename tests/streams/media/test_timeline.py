"""Time stamps on one clock: rising, in step, and through whatever a source does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.child.drift import Drift
from stagedoor.streams.media.child.timeline import Timeline

SECOND = 1_000_000
FRAME = 40_000
SOUND = 21_333


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["video", "audio"]),
            st.integers(-(10**9), 10**9),
            st.integers(0, 10 * SECOND),
        ),
        max_size=200,
    )
)
def test_times_of_a_track_rise_whatever_comes(packets: list[tuple[str, int, int]]) -> None:
    timeline, arrival, last = Timeline(), 0, dict[str, int]()
    for kind, stamp, wait in packets:
        arrival += wait
        time = timeline.place(kind, stamp, arrival)  # pyright: ignore[reportArgumentType]
        assert time > last.get(kind, -(10**18))
        last[kind] = time


@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 200_000), min_size=1, max_size=200))
def test_delays_of_the_network_do_not_move_the_tracks_against_each_other(base: int, delays: list[int]) -> None:
    timeline, latest = Timeline(), 0
    offsets: set[int] = set()
    for number, delay in enumerate(delays):
        for kind, step in (("video", FRAME), ("audio", SOUND)):
            stamp = number * step
            latest = max(latest, stamp + delay)
            time = timeline.place(kind, base + stamp, latest)  # pyright: ignore[reportArgumentType]
            offsets.add(time - stamp)
    assert len(offsets) == 1


@given(st.integers(-3_600 * SECOND, 3_600 * SECOND), st.integers(1, 60))
def test_a_jump_of_both_tracks_keeps_them_in_step(jump: int, after: int) -> None:
    """An encoder that sets its clock: the track that comes second follows to the very microsecond."""
    timeline = Timeline()
    for number in range(200):
        arrival = number * FRAME
        moved = jump if number >= 100 + after % 50 else 0
        video = timeline.place("video", number * FRAME + moved, arrival)
        audio = timeline.place("audio", number * FRAME + moved, arrival)
        assert abs(video - audio) <= 20_000
        assert abs(video - arrival) < 5 * SECOND


def test_time_stamps_that_stand_are_replaced_by_the_clock() -> None:
    """A camera sends one time stamp over and over (N18)."""
    timeline = Timeline()
    times = [timeline.place("video", 90 + number, number * FRAME) for number in range(500)]
    late = times[200:]
    assert all(30_000 < b - a < 50_000 for a, b in pairwise(late))


def test_three_equal_time_stamps_in_ten_are_no_reason_to_distrust_them() -> None:
    timeline = Timeline()
    for number in range(1_000):
        stamp = (number - (number % 10 if number % 10 < 3 else 0)) * FRAME
        timeline.place("video", stamp, number * FRAME)
    assert timeline.trusted["video"]


def test_a_track_that_comes_late_is_in_step_from_its_beginning() -> None:
    timeline = Timeline()
    for number in range(125):
        timeline.place("video", number * FRAME, SECOND + number * FRAME + number % 7 * 1_000)
    audio = timeline.place("audio", 125 * FRAME, SECOND + 125 * FRAME + 300_000)
    assert audio == timeline.place("video", 125 * FRAME, SECOND + 125 * FRAME)


def test_an_hour_without_drift() -> None:
    timeline = Timeline()
    for number in range(3_600 * 25):
        timeline.place("video", number * FRAME, SECOND + number * FRAME)
        assert timeline.place("audio", number * FRAME, SECOND + number * FRAME) == SECOND + number * FRAME


@pytest.mark.parametrize("speed", [7_990 / 8_000, 1.001, 1 - 1e-4])
def test_a_clock_that_runs_slower_or_faster_is_followed_for_hours(speed: float) -> None:
    """A camera whose sound has a clock of its own sends no reports of it (N16)."""
    timeline, late = Timeline(Drift()), dict[str, int]()
    for number in range(2 * 3_600 * 25):
        true = number * FRAME
        jitter = number * 7_919 % 30_000
        video = timeline.place("video", true, true + jitter)
        sound = timeline.place("audio", int(true * speed), true + 20_000 + jitter)
        late = {"audio": sound - true, "video": video - true}
    assert abs(late["audio"] - late["video"]) < 80_000
    assert abs(late["video"]) < 80_000


def test_sound_that_pauses_is_in_step_afterwards() -> None:
    timeline = Timeline(Drift())
    apart: list[int] = []
    for number in range(200 * 25):
        true = number * FRAME
        video = timeline.place("video", true, true + 5_000)
        if not any(begin <= number // 25 < begin + 30 for begin in (20, 80, 140)):
            apart.append(timeline.place("audio", true, true + 25_000) - video)
    assert max(map(abs, apart)) < 40_000


@given(st.lists(st.integers(0, 400_000), min_size=300, max_size=500))
def test_delays_move_both_tracks_of_a_camera_alike(delays: list[int]) -> None:
    timeline, latest = Timeline(Drift()), 0
    for number, delay in enumerate(delays):
        latest = max(latest, number * FRAME + delay)
        video = timeline.place("video", number * FRAME, latest)
        assert abs(timeline.place("audio", number * FRAME, latest) - video) <= 1_000


def test_a_jump_of_a_camera_that_drifts_is_followed() -> None:
    timeline = Timeline(Drift())
    video = sound = 0
    for number in range(600 * 25):
        true, jump = number * FRAME, 3_600 * SECOND if number > 300 * 25 else 0
        video = timeline.place("video", true + jump, true + 5_000)
        sound = timeline.place("audio", int(true * 0.999) + jump, true + 25_000)
    assert abs(video - sound) < 80_000
