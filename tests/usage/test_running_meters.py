"""What runs is counted once, whenever it is read, and in the hour in which it ran."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.usage.meters import ADDED, HOUR_MS, AddedMeter, Amounts
from stagedoor.usage.running_meters import Place, RunningMeters, Used

_APP = "app_1"


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: int = 0

    def __call__(self) -> int:
        return self.now


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[int, str | tuple[AddedMeter, str]]]:
    """How long nothing happens, and what happens then: it is read, or something comes or goes in a room."""
    lengths = st.one_of(st.integers(0, 20_000), st.integers(0, 3 * HOUR_MS))
    changes = st.tuples(st.sampled_from(ADDED), st.sampled_from(["live-a", "live-b"]))
    return draw(st.lists(st.tuples(lengths, st.sampled_from(["take", "leave"]) | changes), max_size=40))


def _into(found: dict[Place, Amounts], taken: Used) -> None:
    for place, by_hour in taken.items():
        assert by_hour
        for hour, amounts in by_hour.items():
            assert hour % HOUR_MS == 0
            assert amounts != Amounts()
        found[place] = found.get(place, Amounts()) + sum(by_hour.values(), Amounts())


def _shown(found: dict[Place, Amounts]) -> dict[tuple[Place, AddedMeter], int]:
    return {
        (place, meter): ms for place, amounts in found.items() for meter in ADDED if (ms := getattr(amounts, meter))
    }


@given(steps())
def test_hours_add_up_to_the_time_that_each_ran(happened: list[tuple[int, str | tuple[AddedMeter, str]]]) -> None:
    clock = Clock(1_700_000_000_000)
    running = RunningMeters(clock, clock)
    found: dict[Place, Amounts] = {}
    true: Counter[tuple[Place, AddedMeter]] = Counter()
    there: list[tuple[ExitStack, AddedMeter, str]] = []
    for length, what in happened:
        clock.now += length
        for _, meter, room in there:
            true[Place(_APP, room), meter] += length
        if what == "take":
            _into(found, running.take())
            assert _shown(found) == {key: ms for key, ms in true.items() if ms}
        elif what == "leave":
            if there:
                there.pop(0)[0].close()
        elif isinstance(what, tuple):
            stack = ExitStack()
            stack.enter_context(running.run(what[0], _APP, what[1]))
            there.append((stack, *what))
    for stack, _, _ in there:
        stack.close()
    _into(found, running.take())
    assert _shown(found) == {key: ms for key, ms in true.items() if ms}
    clock.now += HOUR_MS
    assert running.take() == {}


def test_an_hour_is_cut_where_it_ends() -> None:
    clock = Clock(2 * HOUR_MS - 4_000)
    running = RunningMeters(clock, clock)
    with running.run("viewer", _APP, "live-a"), running.run("viewer", _APP, "live-a"):
        clock.now += 10_000
    assert running.take() == {
        Place(_APP, "live-a"): {HOUR_MS: Amounts(viewer=8_000), 2 * HOUR_MS: Amounts(viewer=12_000)}
    }


def test_a_wall_clock_that_is_set_changes_no_length() -> None:
    wall, steady = Clock(5 * HOUR_MS), Clock()
    running = RunningMeters(wall, steady)
    with running.run("camera", _APP, "live-a"):
        steady.now, wall.now = 10_000, 2 * HOUR_MS + 1_000
    (by_hour,) = running.take().values()
    assert by_hour == {HOUR_MS: Amounts(camera=9_000), 2 * HOUR_MS: Amounts(camera=1_000)}


def test_an_app_of_a_former_apps_name_pays_for_itself_alone() -> None:
    clock = Clock()
    running = RunningMeters(clock, clock)
    with running.run("camera", "app_1", "live-a"):
        clock.now += 1_000
    with running.run("camera", "app_2", "live-a"):
        clock.now += 2_000
    assert running.take() == {
        Place("app_1", "live-a"): {0: Amounts(camera=1_000)},
        Place("app_2", "live-a"): {0: Amounts(camera=2_000)},
    }
