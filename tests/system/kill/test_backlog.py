"""What was acknowledged is applied, once, whenever Stagedoor was killed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from random import Random

import aiohttp
import pytest
from livekit import api as livekit

from tests.support.product import RunningProduct
from tests.support.rooms_harness import snapshot_of, world_on
from tests.support.rooms_histories import play
from tests.support.rooms_invariants import has_one_story, is_whole, nothing_waits
from tests.support.rooms_model import Sent
from tests.system.kill.conftest import Start

pytestmark = pytest.mark.slow

CLAIMED = ("live-a", "live-b", "live-c", "live-d")


def history(seed: int) -> list[Sent]:
    return list(play(Random(seed), 250, names=CLAIMED, roomless=False, crashes=False).sent)


async def send(http: aiohttp.ClientSession, product: RunningProduct, key: tuple[str, str], sent: Sent) -> bool:
    """Deliver a webhook as LiveKit does; whether it was acknowledged."""
    digest = base64.b64encode(hashlib.sha256(sent.body).digest()).decode()
    headers = {"Authorization": livekit.AccessToken(*key).with_sha256(digest).to_jwt()}
    try:
        async with http.post(f"{product.url}/webhooks/livekit", data=sent.body, headers=headers) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_killed_with_a_backlog(start: Start, http: aiohttp.ClientSession) -> None:
    """Four rooms' queues deliver as fast as they can, each in order, and Stagedoor dies at some moment in it."""
    product = start()
    key = product.livekit_keys
    acknowledged: list[Sent] = []
    enough = asyncio.Event()

    async def deliver(room: str) -> None:
        for sent in events:
            if sent.room_name == room:
                if not await send(http, product, key, sent):
                    return
                acknowledged.append(sent)
                if len(acknowledged) == 120:
                    product.kill()
                    enough.set()

    events = history(7)
    assert len(events) > 200
    await asyncio.gather(*(deliver(room) for room in CLAIMED))
    assert enough.is_set()
    await asyncio.to_thread(product.start)
    assert await asyncio.to_thread(product.stop) == 0
    found = await snapshot_of(product.data_dir / "stagedoor.db")
    assert {sent.id for sent in acknowledged} <= {event.id for event in found.inbox}
    nothing_waits(found)
    is_whole(found)
    has_one_story(found)


async def test_what_was_stored_and_not_applied_is_applied_at_the_next_start(start: Start) -> None:
    """As a SIGKILL between the two commits leaves it: every row is there, and none was acted on."""
    product = start()
    assert await asyncio.to_thread(product.stop) == 0
    database = product.data_dir / "stagedoor.db"
    events = history(11)
    async with world_on(f"sqlite:///{database}") as world:
        for sent in events:
            assert await world.receive(sent)
    await asyncio.to_thread(product.start)
    assert await asyncio.to_thread(product.stop) == 0
    found = await snapshot_of(database)
    assert [event.id for event in found.inbox if event.id.startswith("EV_0")] == [sent.id for sent in events]
    nothing_waits(found)
    is_whole(found)
    has_one_story(found)
    assert {session.state for session in found.sessions.values()} == {"ended"}, "LiveKit has none of these rooms"
    assert {person.sid for person in found.participants.values()} >= {
        json.loads(sent.body)["participant"]["sid"] for sent in events if sent.event == "participant_joined"
    }
