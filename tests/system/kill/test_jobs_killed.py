"""Stagedoor is killed again and again while events come in and go out: in the end each was applied, and each delivered.

Five kills by default; `make long` has two hundred.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from livekit import api as livekit
from sqlalchemy import select

from stagedoor.jobs.nouns import RECURRING, UNFINISHED, Job
from stagedoor.jobs.operator_store import list_jobs
from stagedoor.outbox import body_store, delivery_store
from stagedoor.outbox.nouns import Delivery
from stagedoor.storage import Transaction
from tests.support.postgres import PostgresServer
from tests.support.product import Api, RunningProduct, eventually
from tests.support.receiver import Receiver, Taken, receiving
from tests.support.rooms_harness import Snapshot, world_on
from tests.support.rooms_histories import play
from tests.support.rooms_invariants import has_one_story, is_whole, nothing_waits
from tests.support.rooms_model import Sent
from tests.system.kill.conftest import Rest, Start

KILLS: Final = int(os.environ.get("STAGEDOOR_KILLS", "5"))
FEWER: Final = max(2, KILLS // 10)
"""With PostgreSQL, where a dead worker's jobs wait for half a minute until their lease is over."""

EVENTS_A_KILL: Final = 60
ROOMS: Final = ("live-a", "live-b", "live-c", "live-d")
PAUSES: Final = (0.0, 0.01, 0.05, 0.2, 0.5)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 60 * KILLS)]

SETTINGS: Final = {
    "STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS": "true",
    # So many that none is given up: each kill may take one from the messages that are on their way.
    "STAGEDOOR_WEBHOOK_RETRY_DELAYS": ",".join(["1"] * (30 + KILLS)),
}


@dataclass(slots=True)
class Load:
    """LiveKit's side: a queue for each room that sends in order, and again until Stagedoor says that it has it."""

    http: aiohttp.ClientSession
    product: RunningProduct
    events: Sequence[Sent]
    up: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: list[Sent] = field(default_factory=list[Sent])
    _enough: dict[int, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    @asynccontextmanager
    async def going(self) -> AsyncGenerator[None]:
        """Send meanwhile; at the end, all has been acknowledged."""
        self.up.set()
        rooms = [asyncio.create_task(self._room(room)) for room in ROOMS]
        try:
            yield
            await asyncio.gather(*rooms)
        finally:
            for task in rooms:
                task.cancel()

    async def until(self, count: int) -> None:
        """Return when so many have been acknowledged."""
        if len(self.acknowledged) < count:
            await self._enough[count].wait()

    async def _room(self, room: str) -> None:
        for sent in self.events:
            if sent.room_name == room:
                while not await self._acknowledged(sent):
                    await self.up.wait()
                self.acknowledged.append(sent)
                self._enough[len(self.acknowledged)].set()

    async def _acknowledged(self, sent: Sent) -> bool:
        digest = base64.b64encode(hashlib.sha256(sent.body).digest()).decode()
        token = livekit.AccessToken(*self.product.livekit_keys).with_sha256(digest).to_jwt()
        url = f"{self.product.url}/webhooks/livekit"
        try:
            async with self.http.post(url, data=sent.body, headers={"Authorization": token}) as answer:
                assert answer.status in {200, 503}, await answer.text()
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@dataclass(frozen=True, slots=True)
class Found:
    """What a product that has stopped left."""

    rooms: Snapshot
    jobs: list[Job]
    deliveries: list[Delivery]
    bodies: dict[int, bytes]


async def found_at(url: str) -> Found:
    def look(tx: Transaction) -> tuple[list[Job], list[Delivery], dict[int, bytes]]:
        rows = tx.execute(select(delivery_store.deliveries.c.id).order_by(delivery_store.deliveries.c.event_seq))
        deliveries = [delivery_store.delivery_by_id(tx, row.id) for row in rows]
        jobs = list_jobs(tx, state=None, kind=None, before=None, limit=1_000_000)
        bodies = {row.event_seq: row.body for row in tx.execute(select(body_store.bodies))}
        return jobs, [delivery for delivery in deliveries if delivery is not None], bodies

    async with world_on(url) as world:
        return Found(await world.snapshot(), *await world.database.read(look))


def unreliable(chance: Random) -> Any:
    """A backend that sometimes says that it failed, and sometimes hangs up having taken the message."""

    async def answer(request: web.Request, _: Taken) -> web.StreamResponse:
        luck = chance.random()
        if luck < 0.1:
            return web.Response(status=500)
        if luck < 0.2 and request.transport is not None:
            request.transport.close()
        return web.Response()

    return answer


async def quiet(api: Api) -> bool:
    """Whether nothing is on its way that the interface shows."""
    if (await api("GET", "/inbox?state=pending&limit=1"))["data"] or (await sessions(api)):
        return False
    kinds = ("webhook.deliver", "session.settle")
    pages = [await api("GET", f"/jobs?state={state}&kind={kind}") for state in UNFINISHED for kind in kinds]
    return not any(page["data"] for page in pages)


async def sessions(api: Api) -> list[Any]:
    found: list[Any] = (await api("GET", "/apps/live/sessions?state=active"))["data"]
    return found


async def kill_again_and_again(load: Load, kills: int, chance: Random) -> None:
    """At some number of acknowledgements, and some moments after it."""
    product = load.product
    for number in sorted(chance.sample(range(1, len(load.events)), kills)):
        await load.until(number)
        await asyncio.sleep(chance.choice(PAUSES))  # the moment is what is left to chance here
        load.up.clear()
        await asyncio.to_thread(product.kill)
        await asyncio.to_thread(product.start)
        load.up.set()


async def survives(product: RunningProduct, api: Api, http: aiohttp.ClientSession, url: str, kills: int) -> None:
    chance = Random(f"{kills} kills")
    history = play(chance, EVENTS_A_KILL * kills, names=ROOMS, roomless=False, crashes=False)
    async with receiving() as plain, receiving() as ordered:
        hooks: dict[str, Receiver] = {}
        for receiver, in_order in ((plain, False), (ordered, True)):
            receiver.answer = unreliable(chance)
            made = await api("POST", "/apps/live/webhooks", {"url": receiver.url, "ordered": in_order}, expect=201)
            hooks[made["data"]["id"]] = receiver
        load = Load(http, product, list(history.sent))
        async with load.going():
            await kill_again_and_again(load, kills, chance)
        assert len(load.acknowledged) == len(history.sent)

        # Stopping ends what is open, which is reported at the next start; the second stop has nothing to end.
        await eventually(lambda: quiet(api), seconds=120 + 10 * kills)
        assert await asyncio.to_thread(product.stop) == 0
        await asyncio.to_thread(product.start)
        await eventually(lambda: quiet(api), seconds=120 + 10 * kills)
        assert await asyncio.to_thread(product.stop) == 0
        found = await found_at(url)

    everything_is_applied(found, load.acknowledged)
    no_job_is_left(found)
    for hook, receiver in hooks.items():
        everything_is_delivered(found, hook, receiver)
    in_order_of_each_session(ordered)


def everything_is_applied(found: Found, acknowledged: Sequence[Sent]) -> None:
    assert {sent.id for sent in acknowledged} <= {event.id for event in found.rooms.inbox}
    nothing_waits(found.rooms)
    is_whole(found.rooms)
    has_one_story(found.rooms)


def no_job_is_left(found: Found) -> None:
    unfinished = [job for job in found.jobs if job.state != "done" and job.unique_key != RECURRING]
    assert unfinished == []
    recurring = Counter(job.kind for job in found.jobs if job.unique_key == RECURRING and job.state in UNFINISHED)
    assert set(recurring.values()) == {1}
    delivered = Counter(job.payload["delivery"] for job in found.jobs if job.kind == "webhook.deliver")
    assert delivered == Counter(delivery.id for delivery in found.deliveries), "a job for each, and one"


def everything_is_delivered(found: Found, hook: str, receiver: Receiver) -> None:
    """Each event under one id, at least once, with one body, and nothing else."""
    deliveries = [delivery for delivery in found.deliveries if delivery.endpoint_id == hook]
    assert {delivery.state for delivery in deliveries} == {"delivered"}
    assert [delivery.event_seq for delivery in deliveries] == [event.seq for event in found.rooms.story]
    assert [delivery.type for delivery in deliveries] == [event.type for event in found.rooms.story]
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for taken in receiver.taken:
        bodies[taken.headers["webhook-id"]].add(taken.body)
    assert dict(bodies) == {delivery.message_id: {found.bodies[delivery.event_seq]} for delivery in deliveries}


def in_order_of_each_session(receiver: Receiver) -> None:
    """A message comes for the first time when all before it have come."""
    first: dict[str, list[str]] = defaultdict(list)
    for message_id, taken in {taken.headers["webhook-id"]: taken for taken in reversed(receiver.taken)}.items():
        first[json.loads(taken.body)["data"]["sessionId"] or ""].append(message_id)
    order = {message_id: number for number, message_id in enumerate(dict.fromkeys(receiver.ids))}
    for ids in first.values():
        assert sorted(ids, key=order.__getitem__) == sorted(ids)


async def test_on_sqlite(start: Start, rest: Rest, http: aiohttp.ClientSession) -> None:
    product = start(**SETTINGS)
    url = f"sqlite:///{product.data_dir / 'stagedoor.db'}"
    await survives(product, rest(product), http, url, KILLS)


async def test_on_postgresql(
    start: Start, rest: Rest, http: aiohttp.ClientSession, postgres_server: PostgresServer
) -> None:
    url = postgres_server.create_database()
    product = start(STAGEDOOR_DATABASE_URL=url, **SETTINGS)
    await survives(product, rest(product), http, url, FEWER)
