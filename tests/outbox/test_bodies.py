"""What is sent for an event is stored once, for however many endpoints, and for as long as one of them has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import delete, func, select, text, update

from stagedoor.jobs.nouns import Job
from stagedoor.outbox import delivery_store, endpoints
from stagedoor.outbox.body_store import bodies
from stagedoor.outbox.delivery_store import deliveries
from stagedoor.outbox.trimming import TRIM, trim_kind
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.principals import OPERATOR
from stagedoor.tenancy.store import apps
from tests.outbox.world import World, make_world

LARGE = "x" * 60_000


async def given_out(world: World) -> None:
    await world.fanout().drain()


async def stored(world: World) -> tuple[int, int]:
    """How many deliveries and bodies there are."""

    def count(tx: Transaction) -> tuple[int, int]:
        one, two = (tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (deliveries, bodies))
        return one, two

    return await world.database.read(count)


async def size(database: Database, url: str) -> int:
    """Bytes of the database."""
    if database.dialect == "postgresql":
        sizes = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        return int(await database.read(lambda tx: tx.execute(text(sizes)).scalar_one()))
    await database.write(lambda tx: None)
    path = Path(url.removeprefix("sqlite:///"))
    return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))


async def test_many_endpoints_multiply_no_bytes(database: Database, database_url: str) -> None:
    """40 endpoints and 20 rooms with 60 kB of metadata each took 60 MB, of 1.2 MB that happened."""
    world = await make_world(database)
    for number in range(40):
        await world.endpoint(f"https://hooks.example.com/{number}", whole=True)
    for _ in range(20):
        await world.happen(extra=LARGE)
    before = await size(database, database_url)
    await given_out(world)
    assert await stored(world) == (800, 20)
    assert await size(database, database_url) - before < 6_000_000


async def test_a_body_goes_with_its_last_delivery(database: Database) -> None:
    world = await make_world(database)
    one, _ = await world.endpoint("https://hooks.example.com/1")
    two, _ = await world.endpoint("https://hooks.example.com/2")
    await world.happen()
    await world.happen()
    await given_out(world)
    assert await stored(world) == (4, 2)

    def over(tx: Transaction, endpoint_id: str) -> None:
        tx.execute(update(deliveries).where(deliveries.c.endpoint_id == endpoint_id).values(state="delivered"))

    def forget(tx: Transaction) -> int:
        return delivery_store.delete_old_deliveries(tx, 1 << 60, 500)

    await world.database.write(lambda tx: over(tx, one.id))
    assert await world.database.write(forget) == 2
    assert await stored(world) == (2, 2)
    await world.database.write(lambda tx: over(tx, two.id))
    assert await world.database.write(forget) == 2
    assert await stored(world) == (0, 0)


async def test_bodies_go_with_an_endpoint_and_with_an_app(database: Database) -> None:
    world = await make_world(database)
    one, _ = await world.endpoint("https://hooks.example.com/1", whole=True)
    await world.happen()
    await given_out(world)
    two, _ = await world.endpoint("https://hooks.example.com/2")
    await world.happen()
    await given_out(world)
    assert await stored(world) == (3, 2)
    await world.database.write(lambda tx: endpoints.delete(tx, OPERATOR, one.id))
    assert await stored(world) == (1, 1)
    assert await world.body((await world.deliveries(two))[0])
    await world.database.write(lambda tx: tx.execute(delete(apps).where(apps.c.id == world.app.id)))
    assert await stored(world) == (0, 0)


async def test_two_endpoints_that_go_at_once_leave_nothing(database: Database) -> None:
    world = await make_world(database)
    made = [(await world.endpoint(f"https://hooks.example.com/{number}"))[0] for number in range(2)]
    for _ in range(5):
        await world.happen()
    await given_out(world)
    await asyncio.gather(
        *(world.database.write(lambda tx, one=one: endpoints.delete(tx, OPERATOR, one.id)) for one in made)
    )
    assert await stored(world) == (0, 0)


async def test_so_many_deliveries_of_an_endpoint_are_remembered(database: Database) -> None:
    world = await make_world(database)
    one, _ = await world.endpoint("https://hooks.example.com/1")
    two, _ = await world.endpoint("https://hooks.example.com/2", types=["session.*"])
    for _ in range(8):
        await world.happen()
    await world.happen("session.started")
    await given_out(world)
    made = await world.deliveries(one)
    over = [delivery.id for delivery in made if delivery is not made[1]]
    await database.write(
        lambda tx: tx.execute(update(deliveries).where(deliveries.c.id.in_(over)).values(state="delivered"))
    )
    job = Job(1, "job_1", TRIM, "running", {}, None, None, None, 0, 1, False, "me", None, None, None, 0, None, None)
    await trim_kind(database, 3).handler(job)
    left = await world.deliveries(one)
    assert [delivery.id for delivery in left] == [made[1].id, *(delivery.id for delivery in made[-3:])]
    assert len(await world.deliveries(two)) == 1
    assert await stored(world) == (5, 4)
