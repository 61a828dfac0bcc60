"""A comparison infers an end from the last sign of life; one that comes later moves it."""

from __future__ import annotations

from dataclasses import replace

from tests.support.rooms_harness import World
from tests.support.rooms_invariants import has_one_story, is_whole
from tests.support.rooms_model import LiveKitModel


async def test_a_session_lasts_until_its_last_participant_left(world: World) -> None:
    """`room_finished` is lost, and `participant_left` comes after a comparison has closed the session."""
    model = LiveKitModel()
    room = model.create("live-a")
    model.activate(room, model.connect("live-a", "ann"))
    known = list(model.sent)
    model.now += 20_000
    model.leave(room, room.present[0], "CLIENT_INITIATED")
    late = model.sent[-1]
    model.finish(room)
    await world.apply(known)
    await world.compare(model.listing())
    await world.apply([late])
    found = await world.snapshot()
    is_whole(found)
    has_one_story(found)
    (session,), (person,) = found.sessions.values(), found.participants.values()
    assert (person.left_at, person.left_at_source) == (model.now, "received")
    assert (session.ended_at, session.ended_at_source) == (model.now, "reconcile")
    assert session.disposition == "completed"


async def test_a_participant_stays_until_its_last_track_ended(world: World) -> None:
    """`participant_left` is lost, and `track_unpublished` comes after a comparison has closed the participant."""
    model = LiveKitModel()
    room = model.create("live-a")
    ann = model.connect("live-a", "ann")
    model.activate(room, ann)
    model.publish(room, ann, "video")
    model.activate(room, model.connect("live-a", "bob"))
    known = list(model.sent)
    model.now += 20_000
    model.leave(room, ann, "CLIENT_INITIATED")
    await world.apply(known)
    await world.compare(model.listing())
    await world.apply([sent for sent in model.sent if sent.event == "track_unpublished"])
    found = await world.snapshot()
    is_whole(found)
    has_one_story(found)
    (track,) = found.tracks.values()
    assert (track.unpublished_at, track.unpublished_at_source) == (model.now, "received")
    person = found.participants[ann.sid]
    assert (person.left_at, person.left_at_source) == (model.now, "reconcile")


async def test_livekits_creation_time_replaces_the_time_of_a_late_first_event(world: World) -> None:
    """LiveKit's track events do not say when the room began, and of a late one only its second is known."""
    model = LiveKitModel()
    room = model.create("live-a")
    ann = model.connect("live-a", "ann")
    model.activate(room, ann)
    model.publish(room, ann, "video")
    _, joined, published = model.sent
    await world.apply([replace(published, at=published.at + 5_000)])
    (session,) = (await world.snapshot()).sessions.values()
    assert session.started_at_source == "reconcile"
    await world.apply([joined])
    (session,) = (await world.snapshot()).sessions.values()
    assert (session.started_at, session.started_at_source) == (room.created_at, "livekit")


async def test_a_track_ends_with_a_leaving_that_is_reported_late(world: World) -> None:
    """The comparison had inferred a later end, as another participant came and kept the session alive."""
    model = LiveKitModel()
    room = model.create("live-a")
    ann = model.connect("live-a", "ann")
    model.activate(room, ann)
    model.publish(room, ann, "video")
    known = list(model.sent)
    model.now += 5_000
    model.leave(room, ann, "CLIENT_INITIATED")
    late = model.sent[-1]
    left_at = model.now
    model.now += 15_000
    model.activate(room, model.connect("live-a", "bob"))
    await world.apply([*known, model.sent[-1]])
    await world.compare(model.listing())
    await world.apply([late])
    found = await world.snapshot()
    is_whole(found)
    has_one_story(found)
    (track,) = found.tracks.values()
    assert (found.participants[ann.sid].left_at, track.unpublished_at) == (left_at, left_at)
