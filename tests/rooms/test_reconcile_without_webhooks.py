"""When every webhook is lost, one comparison finds all that LiveKit has."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from sqlalchemy import Table

from stagedoor.rooms import participants_store, store
from stagedoor.rooms.nouns import Participant, Room, Session, Track
from tests.support.rooms_harness import SqliteWorlds
from tests.support.rooms_histories import Scenario, examples, scenarios
from tests.support.rooms_invariants import has_one_story, is_livekits_state, is_whole, ours

_SOME = examples(40)


@_SOME
@given(scenario=scenarios(compares=False))
async def test_one_comparison_finds_everything(worlds: SqliteWorlds, scenario: Scenario) -> None:
    listing = scenario.history.model.listing()
    async with worlds() as world:
        repairs = await world.compare(listing)
        found = await world.snapshot()
        is_livekits_state(found, listing)
        is_whole(found)
        has_one_story(found)
        assert {event.origin for event in found.story} <= {"reconcile"}
        assert sum(repairs.values()) == len(found.story)
        for room, people in listing.rooms:
            if not ours(room.name):
                continue
            assert (found.sessions[room.sid].started_at, found.sessions[room.sid].started_at_source) == (
                room.created_at,
                "livekit",
            )
            for person in people:
                if person.state == "active":
                    assert found.participants[person.sid].joined_at == person.joined_at


@_SOME
@given(scenario=scenarios())
async def test_the_webhooks_that_come_late_change_nothing_that_is_open(
    worlds: SqliteWorlds, scenario: Scenario
) -> None:
    """LiveKit's queue may hold events that a list has shown already."""
    listing = scenario.history.model.listing()
    async with worlds() as world:
        await world.compare(listing)
        before = await world.snapshot()
        await world.apply(scenario.history.sent)
        found = await world.snapshot()
        for sid, session in before.sessions.items():
            assert found.sessions[sid].state == session.state
        for sid, person in before.participants.items():
            assert found.participants[sid].state == person.state
        for sid, track in before.tracks.items():
            assert found.tracks[sid].open == track.open
        is_whole(found)
        has_one_story(found)
        await world.compare(listing)
        is_livekits_state(await world.snapshot(), listing)


@pytest.mark.parametrize(
    ("noun", "table"),
    [
        (Room, store.rooms),
        (Session, store.sessions),
        (Participant, participants_store.participants),
        (Track, participants_store.tracks),
    ],
)
def test_a_nouns_fields_are_in_the_order_of_its_columns(noun: Any, table: Table) -> None:
    assert [field.name for field in fields(noun)] == [column.name for column in table.columns]
