"""Times that cannot be true, from any signer of webhooks, are treated as absent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.livekit_event import decode_event
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, RoomSnapshot, ServerState, plausible
from stagedoor.rooms import final_usage
from stagedoor.rooms.store import open_sessions
from stagedoor.usage import store as usage
from tests.support.rooms_harness import World
from tests.support.rooms_model import Sent

ABSURD = ["-4611686018427387904", "1", "-1", str(2**63), str(2**70), "946684799999", str(2**62)]
SECONDS_15 = 15


def event(id_: str, name: str, at: int, **more: Any) -> Sent:
    """A webhook about room RM_1, sent at `at`."""
    room = {"sid": "RM_1", "name": "live-a"} | more.pop("room", {})
    body = {"event": name, "id": id_, "createdAt": str(at // 1000), "room": room} | more
    return Sent(id_, name, "live-a", at, json.dumps(body).encode())


async def call(world: World, joined: dict[str, Any], room: dict[str, Any], **finished: Any) -> Any:
    """A call of ten seconds, its session as stored and what it used."""
    at = now_ms() - 60_000
    person: dict[str, Any] = {"sid": "PA_1", "identity": "ann"}
    sent = [
        event("EV_1", "room_started", at, room=room),
        event("EV_2", "participant_joined", at, room=room, participant=person | joined),
        event("EV_3", "participant_left", at + 10_000, room=room, participant=person | joined),
        event("EV_4", "room_finished", at + 10_000, room=room, **finished),
    ]
    async with asyncio.timeout(SECONDS_15):
        await world.apply(sent)
        await world.settle()
    found = await world.snapshot()
    assert {one.state for one in found.inbox} == {"applied"}
    session = found.sessions["RM_1"]
    return session, await world.database.read(lambda tx: usage.hours_of_session(tx, session.id))


@pytest.mark.parametrize("absurd", ABSURD)
async def test_a_joining_at_an_absurd_time_is_that_of_its_event(world: World, absurd: str) -> None:
    session, hours = await call(world, {"joinedAtMs": absurd}, {})
    assert session.duration_ms == 10_000
    assert sum(hour.participant for hour in hours.values()) == 10_000


@pytest.mark.parametrize("absurd", ABSURD)
async def test_a_room_created_at_an_absurd_time_began_with_its_event(world: World, absurd: str) -> None:
    session, hours = await call(world, {}, {"creationTimeMs": absurd})
    assert session.duration_ms == 10_000
    assert sum(hour.participant for hour in hours.values()) == 10_000


@pytest.mark.parametrize("absurd", ABSURD)
async def test_an_event_sent_at_an_absurd_time_happened_when_it_came(world: World, absurd: str) -> None:
    session, _ = await call(world, {}, {}, createdAt=absurd)
    assert session.duration_ms == 10_000


@pytest.mark.parametrize("absurd", ABSURD)
async def test_an_egress_at_an_absurd_time_is_not_metered_for_ages(world: World, absurd: str) -> None:
    await call(world, {}, {})
    info = {"egressId": "EG_1", "roomName": "live-a", "startedAt": absurd, "endedAt": absurd, "file": {"size": "1"}}
    body = {"event": "egress_ended", "id": "EV_9", "createdAt": str(now_ms() // 1000), "egressInfo": info}
    async with asyncio.timeout(SECONDS_15):
        await world.apply([Sent("EV_9", "egress_ended", "live-a", now_ms(), json.dumps(body).encode())])
        await world.settle()
    found = await world.snapshot()
    session = found.sessions["RM_1"]
    hours = await world.database.read(lambda tx: usage.hours_of_session(tx, session.id))
    assert sum(hour.recording for hour in hours.values()) == 0


def test_what_is_plausible() -> None:
    now = now_ms()
    assert plausible(now) == now
    assert plausible(now + 3_600_000) == now + 3_600_000, "LiveKit's clock may be ahead of ours"
    assert plausible(now + 2 * 86_400_000) is None
    assert plausible(0) is None
    fact = decode_event(b'{"event": "room_started", "room": {"sid": "RM_1", "creationTimeMs": "5"}}').room
    assert fact is not None
    assert fact.fact().created_at is None


async def test_a_session_that_cannot_be_repaired_keeps_no_other_from_it(world: World) -> None:
    """Whatever reaches the comparison: a number that no column takes stands for it here."""
    now = now_ms()
    bad = (RoomSnapshot("RM_bad", "live-bad", 2**70), ())
    good = (
        RoomSnapshot("RM_good", "live-good", now),
        (ParticipantSnapshot("PA_1", "ann", state="active", joined_at=now),),
    )
    with capture_logs() as log:
        repairs = await world.compare(ServerState(now, (bad, good)))
    assert world.reconciler.failed_rooms == 1
    assert [entry["livekit_room"] for entry in log if entry["event"] == "room_not_reconciled"] == ["live-bad"]
    assert repairs == {"session.started": 1, "participant.joined": 1}
    found = await world.snapshot()
    assert set(found.sessions) == {"RM_good"}


async def test_a_session_that_cannot_be_metered_keeps_no_other_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = now_ms()
    rooms = tuple((RoomSnapshot(f"RM_{name}", f"live-{name}", now - 60_000), ()) for name in ("a", "b"))
    await world.compare(ServerState(now, rooms))
    first, second = await world.database.read(open_sessions)
    real, metered = final_usage.settle, list[str]()

    def settle(tx: Any, feed: Any, session_id: str) -> None:
        if session_id == first.id:
            raise OverflowError("int too big to convert")
        metered.append(session_id)
        real(tx, feed, session_id)

    monkeypatch.setattr(final_usage, "settle", settle)
    meter = next(kind for kind in final_usage.kinds(world.database, world.feed) if kind.name == final_usage.METER)
    with capture_logs() as log:
        await meter.handler(None)  # pyright: ignore[reportArgumentType] - it looks at none
    assert metered == [second.id]
    assert [entry["session_id"] for entry in log if entry["event"] == "session_not_metered"] == [first.id]
