"""The clock is set while a call lasts: what is reported of it is how long it lasted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagedoor.rooms.clock_jump import SessionClock
from stagedoor.usage import store as usage
from stagedoor.usage.meters import Amounts
from tests.support.clocks import DAY_MS, Clocks
from tests.support.rooms_harness import World
from tests.support.rooms_model import Sent

_MODULES = (
    "stagedoor.inbox.applier",
    "stagedoor.rooms.observe",
    "stagedoor.rooms.final_usage",
    "stagedoor.mediaserver.snapshots",
)


class Call:
    """A call, which LiveKit reports by the clocks."""

    def __init__(self, world: World, clocks: Clocks) -> None:
        self.world = world
        self.clocks = clocks
        self.began = self.joined = clocks.wall
        self._sent = 0

    async def event(self, name: str, *, at: int | None = None, **more: Any) -> None:
        """LiveKit sends an event now, or at another clock's time."""
        self._sent += 1
        sent_at = self.clocks.wall if at is None else at
        room = {"sid": "RM_1", "name": "live-a", "creationTimeMs": str(self.began)}
        person = {"sid": "PA_1", "identity": "ann", "joinedAtMs": str(self.joined)}
        body = {"event": name, "id": f"EV_{self._sent}", "createdAt": str(sent_at // 1000), "room": room} | more
        if name.startswith(("participant", "track")):
            body["participant"] = person
        sent = Sent(str(body["id"]), name, "live-a", sent_at, json.dumps(body).encode())
        await self.world.receive(sent, received_at=self.clocks.wall)
        await self.world.applier.drain()

    async def begin(self) -> None:
        await self.event("room_started")
        await self.event("participant_joined")
        await self.event("track_published", track={"sid": "TR_1", "type": "VIDEO"})

    async def end(self, **more: Any) -> tuple[int | None, Amounts, Amounts]:
        """Its length, what it was reported to have used, and what was recorded."""
        await self.event("participant_left", **more)
        await self.event("room_finished", **more)
        await self.world.settle()
        session = (await self.world.snapshot()).sessions["RM_1"]
        told = await self.world.database.read(lambda tx: usage.reported_usage_of_sessions(tx, [session.id]))
        hours = await self.world.database.read(lambda tx: usage.hours_of_session(tx, session.id))
        return session.duration_ms, told[session.id], sum(hours.values(), Amounts())


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    clocks.wall = clocks.wall // 1000 * 1000 - 60 * DAY_MS  # all of it is plausible for the rest of the world
    clocks.use(monkeypatch, *_MODULES)
    return clocks


def watched(world: World, clocks: Clocks, *, shared: bool) -> Call:
    watch = clocks.watch()
    watch.listen(SessionClock(world.database, shared=shared).jumped)
    world.applier._clock = watch  # pyright: ignore[reportPrivateUsage]
    return Call(world, clocks)


@pytest.mark.parametrize("by", [21 * DAY_MS, 3_600_000, -3_600_000, -21 * DAY_MS])
async def test_a_call_lasts_as_long_as_it_lasted(world: World, clocks: Clocks, by: int) -> None:
    """LiveKit is on the same machine, so its clock is set too."""
    call = watched(world, clocks, shared=True)
    await call.begin()
    clocks.pass_time(30_000)
    clocks.set_forward(by)
    clocks.pass_time(30_000)
    length, told, recorded = await call.end()
    assert length == 60_000
    assert (told.participant, told.video_track) == (60_000, 60_000)
    assert recorded == told


@pytest.mark.parametrize("by", [21 * DAY_MS, -3_600_000])
async def test_a_call_of_another_machines_livekit_does_too(world: World, clocks: Clocks, by: int) -> None:
    """Its clock was right all along, and went on evenly."""
    call = watched(world, clocks, shared=False)
    await call.begin()
    clocks.pass_time(60_000)
    livekits = clocks.wall
    clocks.set_forward(by)
    length, told, recorded = await call.end(at=livekits)
    assert length is not None
    assert 60_000 <= length < 61_000, "LiveKit gives whole seconds"
    assert told.participant == length
    assert recorded == told


async def test_who_comes_after_it_is_as_others_are(world: World, clocks: Clocks) -> None:
    call = watched(world, clocks, shared=True)
    await call.event("room_started")
    clocks.set_forward(21 * DAY_MS)
    call.joined = clocks.wall
    await call.event("participant_joined")
    clocks.pass_time(10_000)
    length, told, _ = await call.end()
    assert (length, told.participant) == (10_000, 10_000)


async def test_what_is_over_stays_as_it_was(world: World, clocks: Clocks) -> None:
    call = watched(world, clocks, shared=True)
    await call.begin()
    clocks.pass_time(60_000)
    before = await call.end()
    clocks.set_forward(21 * DAY_MS)
    await world.applier.drain()
    session = (await world.snapshot()).sessions["RM_1"]
    assert (session.duration_ms, session.started_at) == (before[0], call.began)
