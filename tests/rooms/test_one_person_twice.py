"""Who reconnects is one person: under a new SID before LiveKit has reported that the old one left."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.usage import store as usage
from tests.support.rooms_harness import World
from tests.support.rooms_model import Sent

AT = now_ms() // 1000 * 1000 - 60_000
ROOM = {"sid": "RM_1", "name": "live-a", "creationTimeMs": str(AT)}


def event(name: str, at: int, **more: Any) -> Sent:
    id_ = f"EV_{name}_{at}_{more.get('participant', {}).get('sid')}"
    body = {"event": name, "id": id_, "createdAt": str(at // 1000), "room": ROOM} | more
    return Sent(id_, name, "live-a", at, json.dumps(body).encode())


def person(sid: str, joined: int, identity: str = "ada", **more: Any) -> dict[str, Any]:
    return {"sid": sid, "identity": identity, "joinedAtMs": str(joined), "state": "ACTIVE"} | more


STARTED = event("room_started", AT)
FIRST = event("participant_joined", AT, participant=person("PA_1", AT))
SECOND = event("participant_joined", AT + 20_000, participant=person("PA_2", AT + 20_000))
OLD_LEFT = event("participant_left", AT + 20_999, participant=person("PA_1", AT, disconnectReason="DUPLICATE_IDENTITY"))
LEFT = event(
    "participant_left", AT + 30_000, participant=person("PA_2", AT + 20_000, disconnectReason="CLIENT_INITIATED")
)
FINISHED = event("room_finished", AT + 30_000)


async def used(world: World) -> tuple[int, int]:
    """The most people at a time, and the time that people were there."""
    await world.settle()
    session = (await world.snapshot()).sessions["RM_1"]
    hours = await world.database.read(lambda tx: usage.hours_of_session(tx, session.id))
    return session.peak_participants, sum(hour.participant for hour in hours.values())


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, SECOND, OLD_LEFT])))
async def test_one_person_is_counted_once(world: World, order: Sequence[Sent]) -> None:
    for one in [STARTED, *order]:
        await world.apply([one])
    session = (await world.snapshot()).sessions["RM_1"]
    assert (session.active_participants, session.peak_participants) == (1, 1)
    await world.apply([LEFT])
    assert (await world.snapshot()).sessions["RM_1"].active_participants == 0
    await world.apply([FINISHED])
    assert await used(world) == (1, 30_000), "the second in which both connections were open counts once"


async def test_two_people_are_two(world: World) -> None:
    other = event("participant_joined", AT + 20_000, participant=person("PA_2", AT + 20_000, "bob"))
    await world.apply([STARTED, FIRST, other, FINISHED])
    assert (await used(world))[0] == 2
