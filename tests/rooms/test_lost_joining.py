"""LiveKit's word of a joining and of the leaving may both be lost: who published something was there all the same."""

from __future__ import annotations

from itertools import permutations

import pytest

from stagedoor.rooms.nouns import Participant
from tests.support.rooms_harness import World
from tests.support.rooms_invariants import has_one_story, is_whole
from tests.support.rooms_model import LiveKitModel


async def kept(world: World) -> Participant:
    found = await world.snapshot()
    is_whole(found)
    has_one_story(found)
    (session,) = found.sessions.values()
    assert (session.state, session.disposition, session.peak_participants) == ("ended", "completed", 1)
    (person,) = found.participants.values()
    return person


@pytest.mark.parametrize("order", list(permutations(["track_published", "track_unpublished", "room_finished"])))
async def test_it_joined_no_later_than_it_published(world: World, order: tuple[str, ...]) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    person = model.connect("live-a", "ann")
    model.activate(room, person)
    model.now += 5_000
    published_at = model.now
    model.publish(room, person, "video")
    model.now += 20_000
    model.leave(room, person, "CLIENT_INITIATED")
    model.finish(room)
    sent = {one.event: one for one in model.sent}
    for event in order:
        await world.apply([sent[event]])
    found = await kept(world)
    assert (found.state, found.left_at, found.left_at_source) == ("left", model.now, "session_end")
    assert found.joined_at_source == "reconcile"
    assert found.joined_at in {published_at, model.now}, "the latter when we heard of the track's end first"

    await world.apply([sent["participant_joined"]])
    assert (await kept(world)).joined_at == person.joined_at


async def test_who_is_no_longer_listed_either(world: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    person = model.connect("live-a", "ann")
    model.activate(room, person)
    model.publish(room, person, "video")
    await world.apply(model.sent[-1:])
    model.leave(room, person, "CLIENT_INITIATED")
    await world.compare(model.listing())
    found = await world.snapshot()
    assert {one.state for one in found.participants.values()} == {"left"}
    is_whole(found)
    has_one_story(found)


async def test_an_attempt_that_livekit_says_failed_stays_one(world: World) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    person = model.connect("live-a", "ann")
    model.publish(room, person, "video")
    model.leave(room, person, "JOIN_FAILURE")
    await world.apply(model.sent)
    assert {one.state for one in (await world.snapshot()).participants.values()} == {"aborted"}
