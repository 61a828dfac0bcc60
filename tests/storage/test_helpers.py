"""What folders ask of storage instead of asking which engine it is."""

from __future__ import annotations

import asyncio
import threading

from sqlalchemy import Column, Integer, MetaData, String, Table, select

from stagedoor.storage import Database, GenerationCache, Transaction, upsert

table = Table("helpers", MetaData(), Column("key", String(10), primary_key=True), Column("n", Integer, nullable=False))


async def make(database: Database) -> None:
    await database.write(lambda tx: table.create(tx.connection))


async def test_an_upsert_inserts_or_changes(database: Database) -> None:
    await make(database)
    statement = upsert(table)
    statement = statement.on_conflict_do_update(
        index_elements=["key"], set_={"n": table.c.n + statement.excluded.n}
    ).returning(table.c.n)

    def add(tx: Transaction) -> int:
        return tx.execute(statement, {"key": "a", "n": 2}).scalar_one()

    assert await database.write(add) == 2
    assert await database.write(add) == 4


async def test_an_answer_is_kept_until_something_changes(database: Database) -> None:
    cache = GenerationCache[str, int](database)
    asked = 0

    def read(tx: Transaction) -> int:
        nonlocal asked
        asked += 1
        return asked

    first = await cache.get("a", read)
    second = await cache.get("a", read)
    assert (first, second) == ((1, 1) if database.sole_writer else (1, 2))
    cache.forget()
    assert await cache.get("a", read) == asked
    assert cache.peek("a") == (asked if database.sole_writer else None)


async def test_what_changes_while_it_is_read_is_not_kept(database: Database) -> None:
    cache = GenerationCache[str, int](database)
    reading, changed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def read(tx: Transaction) -> int:
        loop.call_soon_threadsafe(reading.set)
        if database.sole_writer:  # there reads have threads of their own
            assert changed.wait(10)
        return 1

    asking = asyncio.create_task(cache.get("a", read))
    await reading.wait()
    cache.forget()
    changed.set()
    assert await asking == 1
    assert cache.peek("a") is None


async def test_none_is_not_kept_and_many_answers_are_bounded(database: Database) -> None:
    cache = GenerationCache[int, int](database, limit=3)
    assert await cache.get(0, lambda _: None) is None
    assert cache.peek(0) is None
    for key in range(10):
        await cache.get(key, lambda _, key=key: key + 1)
    assert sum(cache.peek(key) is not None for key in range(10)) <= 3


async def test_a_lock_keeps_others_out_until_the_end(database: Database) -> None:
    """Of two transactions at a time, where there can be two."""
    await make(database)

    def add(tx: Transaction) -> None:
        tx.lock("helpers", ["a", "b"])
        found = tx.execute(select(table.c.n).where(table.c.key == "a")).scalar()
        if found is None:
            tx.execute(table.insert().values(key="a", n=1))
        else:
            tx.execute(table.update().values(n=found + 1))

    await asyncio.gather(*(database.write(add) for _ in range(20)))
    assert await database.read(lambda tx: tx.execute(select(table.c.n)).scalar_one()) == 20


async def test_a_lock_that_is_held_is_not_waited_for(database: Database) -> None:
    def inner(tx: Transaction) -> tuple[set[str], set[str]]:
        return tx.try_lock("helpers", {"a", "b"}), tx.try_lock("helpers", ())

    assert await database.write(inner) == ({"a", "b"}, set())
    if database.sole_writer:
        return  # no other client can be at it
    both = asyncio.Barrier(2)
    held: list[set[str]] = []

    async def hold() -> None:
        await both.wait()
        held.append(await database.write(lambda tx: tx.try_lock("helpers", {"a"})))

    await asyncio.gather(hold(), hold())
    assert {"a"} in held
