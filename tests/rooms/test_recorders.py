"""LiveKit's egress service: its events go to the session that it recorded, and it is not counted in the room."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.usage import store as usage
from tests.support.rooms_harness import World
from tests.support.rooms_model import Sent

AT = now_ms() // 1000 * 1000 - 600_000
_NS = 1_000_000


def event(name: str, at: int, sid: str, **more: Any) -> Sent:
    id_ = f"EV_{name}_{at}_{sid}"
    room = {"sid": sid, "name": "live-a", "creationTimeMs": str(more.pop("created", at))}
    body = {"event": name, "id": id_, "createdAt": str(at // 1000), "room": room} | more
    return Sent(id_, name, "live-a", at, json.dumps(body).encode())


def media(name: str, at: int, **info: Any) -> Sent:
    """An event of the egress or ingress service."""
    kind = name.split("_", maxsplit=1)[0]
    body = {"event": name, "id": f"EV_{name}_{at}", "createdAt": str(at // 1000), f"{kind}Info": info}
    return Sent(str(body["id"]), name, "live-a", at, json.dumps(body).encode())


def egress_ended(at: int, *, began: int, ended: int, **more: Any) -> Sent:
    times = {"startedAt": str(began * _NS), "endedAt": str(ended * _NS)}
    info = {"egressId": "EG_8bXq2wPz4Lm1", "roomName": "live-a", "fileResults": [{"filename": "a.mp4"}]}
    return media("egress_ended", at, **info, **times, **more)


async def two_sessions(world: World, *, second_over: bool) -> None:
    """One of a minute, and ten seconds after it the next one of the same room."""
    sent = [
        event("room_started", AT, "RM_1"),
        event("room_finished", AT + 60_000, "RM_1", created=AT),
        event("room_started", AT + 70_000, "RM_2"),
    ]
    if second_over:
        sent.append(event("room_finished", AT + 80_000, "RM_2", created=AT + 70_000))
    await world.apply(sent)


async def recorded(world: World) -> dict[str, int]:
    await world.settle()
    found = await world.snapshot()

    def look(tx: Any) -> dict[str, int]:
        return {
            sid: sum(span.ended_at - span.started_at for span in usage.egresses_of(tx, session.id))
            for sid, session in found.sessions.items()
        }

    return await world.database.read(look)


@pytest.mark.parametrize("second_over", [False, True])
@pytest.mark.parametrize("more", [{"roomId": "RM_1"}, {}, {"roomId": "RM_unknown"}], ids=["named", "timed", "unknown"])
async def test_an_egress_is_metered_for_the_session_that_it_recorded(
    world: World, second_over: bool, more: dict[str, str]
) -> None:
    await two_sessions(world, second_over=second_over)
    await world.apply([egress_ended(AT + 180_000, began=AT + 1_000, ended=AT + 60_500, **more)])
    assert await recorded(world) == {"RM_1": 59_500, "RM_2": 0}
    found = await world.snapshot()
    (said,) = [one for one in found.story if one.type == "egress.ended"]
    assert said.session_id == found.sessions["RM_1"].id
    assert found.count("session.corrected", found.sessions["RM_1"].id) == 1
    assert found.count("session.corrected", found.sessions["RM_2"].id) == 0


async def test_an_egress_that_began_with_its_room_is_of_that_room(world: World) -> None:
    """By the other clock it may have begun a moment before."""
    await two_sessions(world, second_over=True)
    await world.apply([egress_ended(AT + 180_000, began=AT + 69_600, ended=AT + 80_000)])
    assert await recorded(world) == {"RM_1": 0, "RM_2": 10_400}


async def test_an_egress_that_never_began_is_not_metered(world: World) -> None:
    await two_sessions(world, second_over=True)
    await world.apply([egress_ended(AT + 180_000, began=0, ended=0, roomId="RM_1", error="no")])
    assert await recorded(world) == {"RM_1": 0, "RM_2": 0}
    found = await world.snapshot()
    (said,) = [one for one in found.story if one.type == "egress.ended"]
    assert said.session_id == found.sessions["RM_1"].id


@pytest.mark.parametrize("state", [{"roomId": "RM_1"}, {"startedAt": str((AT + 1_000) * _NS)}], ids=["named", "timed"])
async def test_an_ingress_is_in_the_timeline_of_its_own_session(world: World, state: dict[str, str]) -> None:
    await two_sessions(world, second_over=False)
    await world.apply([media("ingress_ended", AT + 180_000, ingressId="IN_1", roomName="live-a", state=state)])
    found = await world.snapshot()
    (said,) = [one for one in found.story if one.type == "ingress.ended"]
    assert said.session_id == found.sessions["RM_1"].id


@pytest.mark.parametrize("kind", [{"kind": "EGRESS"}, {}], ids=["by its kind", "by its identity"])
async def test_a_recorder_alone_is_not_counted(world: World, kind: dict[str, str]) -> None:
    recorder = {"sid": "PA_1", "identity": "EG_8bXq2wPz4Lm1", "joinedAtMs": str(AT), "state": "ACTIVE"} | kind
    await world.apply([event("participant_joined", AT, "RM_1", participant=recorder)])
    session = (await world.snapshot()).sessions["RM_1"]
    assert (session.active_participants, session.peak_participants) == (0, 0)
    left = event("participant_left", AT + 9_000, "RM_1", created=AT, participant=recorder)
    await world.apply([left, event("room_finished", AT + 10_000, "RM_1", created=AT)])
    ended = (await world.snapshot()).sessions["RM_1"]
    assert (ended.peak_participants, ended.active_participants) == (0, 0)
    assert ended.disposition == "expired", "nobody ever came"


async def test_a_recorder_keeps_no_session_from_being_abandoned(world: World) -> None:
    recorder = {"sid": "PA_1", "identity": "EG_8bXq2wPz4Lm1", "joinedAtMs": str(AT), "kind": "EGRESS"}
    tried = {"sid": "PA_2", "identity": "ann", "disconnectReason": "JOIN_FAILURE"}
    await world.apply(
        [
            event("participant_joined", AT, "RM_1", participant=recorder),
            event("participant_connection_aborted", AT + 1_000, "RM_1", created=AT, participant=tried),
            event("participant_left", AT + 9_000, "RM_1", created=AT, participant=recorder),
            event("room_finished", AT + 10_000, "RM_1", created=AT),
        ]
    )
    session = (await world.snapshot()).sessions["RM_1"]
    assert (session.disposition, session.peak_participants) == ("abandoned", 0)
