"""So many deliveries of an organisation may wait; nothing is lost at the bound, and no endpoint takes all the room."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.events.store import last_seq
from stagedoor.jobs.nouns import UNFINISHED
from stagedoor.jobs.queue import get
from stagedoor.kernel.clock import now_ms
from stagedoor.outbox import endpoints, fanout_store
from stagedoor.outbox.backlog import Room
from stagedoor.outbox.nouns import MOST_PER_ORGANISATION, Backlog, Endpoint
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.principals import OPERATOR
from tests.outbox.world import World, make_world
from tests.support.receiver import receiving, status

UNREACHABLE = "https://hooks.example.com/none"


async def bounded(database: Database, most: int) -> World:
    return replace(await make_world(database), most_pending=most)


async def backlog(world: World, endpoint: Endpoint) -> Backlog:
    return (await world.database.read(lambda tx: endpoints.backlogs(tx, [endpoint])))[endpoint.id]


async def happen(world: World, count: int) -> None:
    for _ in range(count):
        await world.happen()


async def test_so_many_deliveries_of_an_organisation_wait(database: Database) -> None:
    world = await bounded(database, 20)
    endpoint, _ = await world.endpoint(UNREACHABLE)
    await happen(world, 20)
    await world.fanout().drain()
    assert await backlog(world, endpoint) == Backlog(20, None)
    await happen(world, 30)
    before = now_ms()
    await world.fanout().drain()
    found = await backlog(world, endpoint)
    assert (found.pending, found.behind_since is not None and found.behind_since >= before) == (20, True)
    assert await database.read(fanout_store.count_behind) == 1


async def test_an_endpoint_that_takes_nothing_leaves_others_their_share(database: Database) -> None:
    world = await bounded(database, 2 * MOST_PER_ORGANISATION)
    full, _ = await world.endpoint(UNREACHABLE)
    await happen(world, 250)
    await world.fanout().drain()
    other, _ = await world.endpoint(UNREACHABLE, types=["session.*"])
    for _ in range(3):
        await world.happen("session.started")
        await world.fanout().drain()
    assert (await backlog(world, full)).pending == 200
    assert (await backlog(world, other)).pending == 2


async def test_what_had_no_room_is_delivered_all_the_same_and_in_order(database: Database) -> None:
    world = await bounded(database, 8)
    async with receiving() as receiver, receiving() as other:
        endpoint, _ = await world.endpoint(receiver.url, ordered=True)
        quick, _ = await world.endpoint(other.url, types=["session.*"])
        await happen(world, 30)
        await world.happen("session.started")
        await world.fanout().drain()
        assert (await backlog(world, endpoint)).pending == 8
        assert (await backlog(world, quick)).pending == 1
        async with world.working():
            await world.until(quick, "delivered")
            await world.until(endpoint, *["delivered"] * 31)
        assert await backlog(world, endpoint) == Backlog(0, None)
    assert len(set(receiver.ids)) == 31
    assert receiver.ids == sorted(receiver.ids)


async def test_events_that_wait_for_room_are_not_offered_yet(database: Database) -> None:
    """Retention leaves them."""
    world = await bounded(database, 5)
    _, __ = await world.endpoint(UNREACHABLE)
    await happen(world, 12)
    await world.fanout().drain()

    def look(tx: Transaction) -> tuple[int | None, int]:
        return fanout_store.offered_until(tx, world.app.id), last_seq(tx, world.app.id)

    offered, newest = await database.read(look)
    assert offered == newest - 7


async def test_disabling_an_endpoint_gives_up_what_waits(database: Database) -> None:
    world = await bounded(database, 5)
    async with receiving() as receiver:
        endpoint, _ = await world.endpoint(receiver.url, types=["room.*"])
        await happen(world, 12)
        await world.fanout().drain()
        receiver.answer = status(410)
        async with world.working():
            await world.until(endpoint, *["dead"] * 5)
        assert await backlog(world, endpoint) == Backlog(0, None)
        await database.write(
            lambda tx: endpoints.change(
                tx, OPERATOR, endpoint.id, url=None, types=None, description=None, enabled=True, ordered=None
            )
        )
        receiver.answer = None
        await world.happen()
        async with world.working():
            await world.until(endpoint, *["dead"] * 5, "delivered")


async def test_what_is_recovered_waits_for_room_too(database: Database) -> None:
    world = await bounded(database, 5)
    began = now_ms()
    await happen(world, 12)
    endpoint, _ = await world.endpoint(UNREACHABLE)
    async with world.recovering():
        job = await database.write(lambda tx: endpoints.recover(tx, world.queue, OPERATOR, endpoint.id, began))
        async with asyncio.timeout(20):
            while (await backlog(world, endpoint)).pending < 5:  # noqa: ASYNC110 - a worker's job is no event here
                await asyncio.sleep(0.01)
    assert (await backlog(world, endpoint)).pending == 5
    assert (await database.read(lambda tx: get(tx, job))).state in UNFINISHED


ENDPOINTS = [f"whe_{number}" for number in range(4)]


@given(
    most=st.integers(1, 1_000),
    waiting=st.dictionaries(st.sampled_from(ENDPOINTS), st.integers(0, 1_500)),
    asked=st.lists(st.sampled_from(ENDPOINTS), max_size=200),
)
def test_room_is_bounded_and_each_endpoint_has_a_share(most: int, waiting: dict[str, int], asked: list[str]) -> None:
    room, now = Room(waiting, most), dict(waiting)
    share = max(1, most // MOST_PER_ORGANISATION)
    for endpoint in asked:
        total, own = sum(now.values()), now.get(endpoint, 0)
        took = room.take(endpoint)
        assert took == (total < most or own < share)
        if took:
            now[endpoint] = own + 1
    for endpoint in ENDPOINTS:
        # Or it would be tried again and again for nothing.
        assert not room.has_again(endpoint) or room.take(endpoint)
