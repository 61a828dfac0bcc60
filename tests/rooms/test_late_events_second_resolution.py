"""LiveKit gives whole seconds, so of what comes late we know no more; but nothing outlives what it was in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.rooms_harness import World
from tests.support.rooms_invariants import is_whole
from tests.support.rooms_model import LiveKitModel, Sent


@pytest.mark.parametrize("late", ["track_published", "track_unpublished", "participant_left"])
async def test_nothing_is_put_after_the_end_that_livekit_reported(world: World, late: str) -> None:
    model = LiveKitModel()
    room = model.create("live-a")
    person = model.connect("live-a", "ann")
    model.activate(room, person)
    model.now += 100
    model.publish(room, person, "video")
    model.now += 100
    model.leave(room, person, "CLIENT_INITIATED")
    model.finish(room)

    def arrived(sent: Sent) -> Sent:
        return replace(sent, at=sent.at + 5_000) if sent.event == late else sent

    await world.apply(sorted(map(arrived, model.sent), key=lambda sent: sent.at))
    found = await world.snapshot()
    is_whole(found)
    (session,), (left,), (track,) = found.sessions.values(), found.participants.values(), found.tracks.values()
    assert session.ended_at == model.now
    assert left.left_at == model.now
    assert track.unpublished_at == model.now
    assert track.published_at <= model.now
