"""No camera gets more frames in than its rate, whatever its clumps; and what did not get in is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.cameras.close_codes import NOT_JPEG, TOO_BIG, TOO_FAST, Close
from stagedoor.sources.cameras.intake import Intake, Rejected
from stagedoor.streams.hub import Slot
from tests.support.cameras import frame, plain

PICTURE = plain()
GAPS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 20)), max_size=400)


@given(st.integers(1, 120), GAPS, st.floats(0, 1e6))
def test_never_more_than_a_burst_and_the_rate(fps: int, gaps: list[float], start: float) -> None:
    slot = Slot()
    taking = Intake(slot, fps, 10_000, start)
    burst = max(2.0, fps / 2)
    taken: list[float] = []
    now = start
    sent = 0
    for gap in gaps:
        now += gap
        before = taking.frames
        why = taking.take(PICTURE, now, 0)
        if why is TOO_FAST:
            break
        sent += 1
        if taking.frames > before:
            taken.append(now)
    assert taking.frames + taking.dropped == sent
    for first in range(len(taken)):
        for last in range(first, len(taken), 7):
            assert last - first + 1 <= burst + fps * (taken[last] - taken[first]) + 0.01


@given(st.integers(1, 120), st.floats(0.1, 1.0))
def test_who_keeps_to_the_rate_loses_nothing(fps: int, share: float) -> None:
    taking = Intake(Slot(), fps, 10_000, 0.0)
    for number in range(300):
        # A radio hands over in clumps: what was taken in the last quarter of a second comes at once.
        at = number / (fps * share)
        clump = 0.25 * int(at / 0.25 + 1) if fps >= 8 else at
        assert taking.take(PICTURE, clump, 0) is None
    assert (taking.frames, taking.dropped) == (300, 0)


@given(st.integers(1, 30), st.integers(2, 60))
def test_far_too_fast_for_ten_seconds_on_end_is_the_end(fps: int, times: int) -> None:
    taking = Intake(Slot(), fps, 10_000, 0.0)
    step = 1 / (fps * times)
    ended = None
    for number in range(13 * fps * times):
        if taking.take(PICTURE, number * step, 0) is TOO_FAST:
            ended = number * step
            break
    if times > 6:
        assert ended is not None
        assert 10 <= ended <= 11.1
    elif times < 5:
        assert ended is None


def test_one_calm_second_is_enough_to_stay() -> None:
    taking = Intake(Slot(), 1, 10_000, 0.0)
    for minute in range(3):
        for second in range(9):
            for number in range(20):
                assert taking.take(PICTURE, minute * 60 + second + number / 20, 0) is not TOO_FAST
    assert taking.dropped > 400


def test_what_is_no_frame_is_not_taken() -> None:
    slot = Slot()
    taking = Intake(slot, 30, 1_000, 0.0)
    for number, (data, reason, said) in enumerate(
        [
            (frame("x", size=1_001), "too_big", "the frame has 1001 bytes, and 1000 is the most"),
            (b"\x00" + PICTURE, "not_jpeg", "1 byte stands before its start-of-image marker"),
            (PICTURE[:-1], "not_jpeg", "it breaks off"),
        ]
    ):
        outcome = taking.take(data, number / 10, 0)
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.message[: len(said)]) == (reason, said)
        assert (taking.rejected, taking.rejection) == (number + 1, outcome)
    assert (slot.newest, taking.frames) == (None, 0)
    assert taking.take(PICTURE + bytes(100), 0.4, 7) is None
    assert slot.newest is not None
    assert (slot.newest.data, slot.newest.at, slot.newest.number) == (PICTURE, 7, 1)
    assert (slot.newest.size.width, slot.newest.size.height) == (64, 48)


@pytest.mark.parametrize(("bad", "why"), [(PICTURE[:-9], NOT_JPEG), (frame("x", size=1_001), TOO_BIG)])
def test_nothing_but_bad_frames_for_half_a_minute_is_the_end(bad: bytes, why: Close) -> None:
    taking = Intake(Slot(), 30, 1_000, 0.0)
    outcomes = [taking.take(bad, second / 2, 0) for second in range(61)]
    assert all(isinstance(outcome, Rejected) for outcome in outcomes[:-1])
    assert outcomes[-1] is why


@given(st.integers(1, 30), st.integers(0, 40))
def test_one_good_frame_in_between_is_enough_to_stay(fps: int, good_at: int) -> None:
    """Ten seconds of broken frames, of every frame or of every second one, end nothing."""
    taking = Intake(Slot(), 30, 1_000, 0.0)
    for number in range(fps * 120):
        good = number % (fps * 25) == good_at % (fps * 25)
        outcome = taking.take(PICTURE if good else PICTURE[:-9], number / fps, 0)
        assert outcome is None if good else isinstance(outcome, Rejected)


def test_a_camera_that_sends_seldom_is_not_given_up_for_a_few_bad_frames() -> None:
    taking = Intake(Slot(), 30, 1_000, 0.0)
    for number in range(9):
        assert isinstance(taking.take(PICTURE[:-9], number * 60.0, 0), Rejected)
    assert taking.take(PICTURE, 540.0, 0) is None
    assert isinstance(taking.take(PICTURE[:-9], 600.0, 0), Rejected)
