"""When nothing is lost, the state is exact to the millisecond, in whatever order the webhooks come."""

from __future__ import annotations

from hypothesis import given

from tests.support.rooms_harness import SqliteWorlds
from tests.support.rooms_histories import Scenario, examples, scenarios
from tests.support.rooms_invariants import has_one_story, is_exact, is_whole, nothing_waits

_MANY = examples(60)


@_MANY
@given(scenario=scenarios(lossy=False, compares=False))
async def test_in_order(worlds: SqliteWorlds, scenario: Scenario) -> None:
    """Also with tracks whose events do not say in which room they are, as nothing is heard of before it is known."""
    async with worlds() as world:
        await world.apply(scenario.history.sent)
        found = await world.snapshot()
        is_exact(found, scenario.history.model)
        is_whole(found)
        has_one_story(found)
        nothing_waits(found)
        assert not {event.origin for event in found.story} - {"webhook"}


@_MANY
@given(scenario=scenarios(lossy=False, compares=False, roomless=False))
async def test_in_any_order(worlds: SqliteWorlds, scenario: Scenario) -> None:
    async with worlds() as world:
        await world.take(scenario.arrivals)
        found = await world.snapshot()
        is_exact(found, scenario.history.model)
        is_whole(found)
        has_one_story(found)
        nothing_waits(found)
