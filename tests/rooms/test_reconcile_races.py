"""A list is a photograph: what happens while it is taken, and shortly before, is not undone by it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.snapshots import ServerState
from tests.support.rooms_harness import SqliteWorlds, World
from tests.support.rooms_histories import Scenario, examples, scenarios
from tests.support.rooms_invariants import has_one_story, is_livekits_state, is_whole
from tests.support.rooms_model import LiveKitModel

GRACE_MS = 60_000
"""The product's is three seconds, which a busy machine may take between two lines of a test."""


@pytest.fixture
async def careful(worlds: SqliteWorlds) -> AsyncGenerator[World]:
    """A world that judges nothing that has just changed."""
    async with worlds(grace_ms=GRACE_MS) as made:
        yield made


def now(state: ServerState) -> ServerState:
    return replace(state, taken_at=now_ms())


async def long_after(world: World, state: ServerState, later_ms: int = 2 * GRACE_MS) -> None:
    """Compare with a list that is taken when what we did is long ago."""
    await world.compare(replace(state, taken_at=now_ms() + later_ms))


async def test_who_came_while_the_list_was_taken_stays(careful: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    await careful.apply(model.sent)
    listing = now(model.listing())
    model.activate(room, model.connect("live-a", "ann"))
    model.publish(room, room.present[0], "video")
    await careful.apply(model.sent)
    assert not await careful.compare(listing)
    is_livekits_state(await careful.snapshot(), model.listing())


async def test_a_room_that_began_while_the_list_was_taken_stays(careful: World) -> None:
    model = LiveKitModel()
    listing = now(model.listing())
    model.create("live-a")
    await careful.apply(model.sent)
    assert not await careful.compare(listing)
    is_livekits_state(await careful.snapshot(), model.listing())


async def test_what_ended_while_the_list_was_taken_stays_ended(careful: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    model.publish(room, room.present[0], "video")
    await careful.apply(model.sent)
    listing = now(model.listing())
    model.finish(room)
    await careful.apply(model.sent)
    assert not await careful.compare(listing)
    found = await careful.snapshot()
    is_livekits_state(found, model.listing())
    is_whole(found)


async def test_what_was_not_judged_now_is_judged_by_the_next_list(careful: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    await careful.apply(model.sent)
    empty = LiveKitModel().listing()
    assert not await careful.compare(now(empty))
    await long_after(careful, empty)
    found = await careful.snapshot()
    is_livekits_state(found, empty)
    (session,) = found.sessions.values()
    (person,) = found.participants.values()
    assert (session.ended_at, session.ended_at_source) == (person.joined_at, "reconcile"), "its last sign of life"
    assert (session.disposition, person.left_at_source) == ("server_lost", "reconcile")


async def test_what_was_closed_wrongly_is_opened_again(careful: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    model.publish(room, room.present[0], "audio")
    await careful.apply(model.sent)
    before = await careful.snapshot()
    await long_after(careful, LiveKitModel().listing())
    await long_after(careful, model.listing(), 4 * GRACE_MS)
    found = await careful.snapshot()
    is_livekits_state(found, model.listing())
    is_whole(found)
    has_one_story(found)
    reopened = [(event.type, event.origin) for event in found.story if event.type.endswith("reopened")]
    assert reopened == [(f"{thing}.reopened", "reconcile") for thing in ("session", "participant", "track")]
    (session,) = found.sessions.values()
    assert session.id == next(iter(before.sessions.values())).id
    assert session.disposition is None
    model.now += 9_000
    model.finish(room)
    await careful.apply(model.sent)
    (session,) = (await careful.snapshot()).sessions.values()
    assert (session.duration_ms, session.disposition, session.peak_participants) == (9_000, "terminated", 1)


async def test_what_a_lost_livekit_had_ended_when_it_was_lost(careful: World) -> None:
    """Without waiting for the grace: we know that it is gone."""
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    model.publish(room, room.present[0], "audio")
    await careful.apply(model.sent)
    lost_at = model.now + 700
    model.crash()
    model.now += 5_000
    model.activate(model.create("live-a"), model.connect("live-a", "ann"))
    await careful.apply(model.sent[-2:])
    await careful.compare(now(model.listing()), lost_at)
    found = await careful.snapshot()
    is_livekits_state(found, model.listing())
    old, new = (found.sessions[room.sid] for room in model.rooms)
    assert (old.ended_at, old.ended_at_source, old.disposition) == (lost_at, "reconcile", "server_lost")
    assert new.state == "active"
    (gone,) = found.people_of(old)
    assert (gone.left_at, gone.left_at_source) == (lost_at, "reconcile")
    assert [track.unpublished_at for track in found.tracks_of(gone)] == [lost_at]


async def test_the_end_of_a_missed_room_is_no_earlier_than_its_last_event(careful: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    model.now += 50_000
    model.publish(room, room.present[0], "video")
    await careful.apply(model.sent)
    await long_after(careful, LiveKitModel().listing())
    (session,) = (await careful.snapshot()).sessions.values()
    assert session.ended_at == model.now


async def test_a_track_seen_in_a_list_was_not_published_when_it_ended(world: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    person = model.connect("live-a", "ann")
    model.activate(room, person)
    model.publish(room, person, "video")
    await world.compare(model.listing())
    seen_at = model.now
    model.now += 20_000
    model.unpublish(room, person, person.live_tracks[0])
    await world.apply(model.sent[-1:])
    (track,) = (await world.snapshot()).tracks.values()
    assert (track.published_at, track.unpublished_at) == (seen_at, model.now)


@examples(40)
@given(scenario=scenarios(lossy=False, compares=False, crashes=False), ago=st.integers(0, 10))
async def test_no_list_of_the_last_seconds_undoes_an_event(worlds: SqliteWorlds, scenario: Scenario, ago: int) -> None:
    """Whatever the list says: all that it could undo has just been changed by events that are newer."""
    history = scenario.history
    async with worlds(grace_ms=GRACE_MS) as world:
        await world.apply(history.sent)
        before = await world.snapshot()
        stale = history.listings[max(0, len(history.listings) - 1 - ago)]
        await world.compare(now(stale))
        after = await world.snapshot()
        for sid, session in before.sessions.items():
            assert after.sessions[sid].state == session.state
        for sid, person in before.participants.items():
            assert after.participants[sid].state == person.state
        for sid, track in before.tracks.items():
            assert after.tracks[sid].open == track.open
