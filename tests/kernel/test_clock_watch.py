"""The wall clock was set: noticed against a clock that cannot be set, logged once, and passed to the listeners."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.clock_watch import DOUBTED_MS, TOLERATED_MS, ClockWatch, Jump
from tests.support.clocks import DAY_MS, Clocks


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> ClockWatch:
    return clocks.watch()


def test_a_clock_that_goes_on_evenly_is_no_jump(clocks: Clocks, watch: ClockWatch) -> None:
    for _ in range(100):
        clocks.pass_time(3_600_000)
        clocks.set_forward(TOLERATED_MS - 1)  # slewed within the hour
        assert watch.look() is None
    assert watch.recent() is None
    assert watch.doubted_for_ms() == 0


@pytest.mark.parametrize(("by", "words"), [(21 * DAY_MS, "forward by 21.0 d"), (-3_600_000, "back by 60.0 min")])
def test_a_jump_is_reported_once(clocks: Clocks, watch: ClockWatch, by: int, words: str) -> None:
    clocks.pass_time(60_000)
    before = clocks.wall
    clocks.set_forward(by)
    with capture_logs() as log:
        jump = watch.look()
        assert watch.look() is None
    assert jump is not None
    assert jump == Jump(before, before + by, clocks.steady)
    assert jump.by == by
    assert words in jump.sentence
    assert [(entry["event"], entry["by_seconds"]) for entry in log] == [("clock_jumped", by / 1000)]
    assert watch.recent() == jump
    clocks.pass_time(DAY_MS)
    assert watch.recent() is None


def test_a_new_time_is_doubted_for_a_day(clocks: Clocks, watch: ClockWatch) -> None:
    clocks.set_forward(21 * DAY_MS)
    assert watch.doubted_for_ms() == DOUBTED_MS
    clocks.pass_time(DOUBTED_MS - 1)
    assert watch.doubted_for_ms() == 1
    clocks.pass_time(1)
    assert watch.doubted_for_ms() == 0


def test_a_time_that_is_set_back_again_is_not(clocks: Clocks, watch: ClockWatch) -> None:
    clocks.set_forward(21 * DAY_MS)
    assert watch.doubted_for_ms()
    clocks.pass_time(60_000)
    clocks.set_forward(-21 * DAY_MS)
    assert watch.doubted_for_ms() == 0


async def test_every_listener_is_called_once(clocks: Clocks, watch: ClockWatch) -> None:
    told: list[int] = []

    async def broken(_: Jump) -> None:
        raise RuntimeError("it could not")

    async def listener(jump: Jump) -> None:
        told.append(jump.by)

    watch.listen(broken)
    watch.listen(listener)
    clocks.set_forward(60_000)
    watch.look()
    clocks.set_forward(-10_000)
    with capture_logs() as log:
        await watch.notify()
        await watch.notify()
    assert told == [60_000, -10_000]
    assert [entry["event"] for entry in log].count("clock_jump_not_handled") == 2
