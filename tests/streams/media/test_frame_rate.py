"""The reported frame rate of a stream is its nominal one."""

from __future__ import annotations

from fractions import Fraction

import pytest

from stagedoor.streams.media.child.frame_rate import FrameRate


def measured(times: list[int], stated: Fraction | None = None) -> float | None:
    rate = FrameRate()
    rate.state(stated)
    for at in times:
        rate.take(at)
    return rate.nominal


def in_milliseconds(fps: float, count: int) -> list[int]:
    """Time stamps as FLV has them."""
    return [round(number * 1_000 / fps) * 1_000 for number in range(count)]


def test_two_pictures_say_nothing() -> None:
    assert measured([0, 21_000]) is None


@pytest.mark.parametrize("fps", [15, 25, 29.97, 30, 50, 59.94, 60])
def test_whole_milliseconds_are_no_odd_rate(fps: float) -> None:
    found = measured(in_milliseconds(fps, 60))
    assert found is not None
    assert abs(found - fps) < 0.1


def test_the_codec_says_it_before_it_can_be_measured() -> None:
    assert measured([0], Fraction(30_000, 1_001)) == 29.97


def test_a_codec_that_says_something_impossible_is_not_believed() -> None:
    assert measured(in_milliseconds(25, 30), Fraction(90_000)) == 25
    assert measured(in_milliseconds(25, 30), Fraction(50)) == 25


def test_an_unusual_rate_is_reported_as_it_is() -> None:
    assert measured(in_milliseconds(17.5, 60)) == 17.5
