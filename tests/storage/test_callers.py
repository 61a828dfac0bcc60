"""Callers that give up, come too many at once, or come too late."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction
from tests.storage.tables import add, another_client, names, note, wait_until_waiting


async def test_a_cancelled_caller_leaves_the_others_alone(database: Database) -> None:
    heard: list[int] = []

    def work(number: int) -> Callable[[Transaction], None]:
        def run(tx: Transaction) -> None:
            add(tx, f"n{number}")
            tx.after_commit(lambda: heard.append(number))

        return run

    tasks = [asyncio.ensure_future(database.write(work(number))) for number in range(100)]
    await asyncio.sleep(0.002)
    for task in tasks[::3]:
        task.cancel()
    await asyncio.wait(tasks)
    await database.write(lambda tx: add(tx, "last"))
    stored = await database.read(names)
    for number, task in enumerate(tasks):
        if not task.cancelled():
            assert f"n{number}" in stored
    # Whole or not at all: what was stored was announced, and nothing else was.
    assert {f"n{number}" for number in heard} == set(stored) - {"last"}


async def test_a_work_that_was_begun_goes_on_without_its_caller(database: Database) -> None:
    heard = asyncio.Event()

    begun = threading.Event()

    def work(tx: Transaction) -> None:
        add(tx, "a")
        begun.set()
        if tx.dialect == "postgresql":
            tx.connection.exec_driver_sql("SELECT pg_sleep(0.2)")
        else:
            threading.Event().wait(0.2)
        tx.after_commit(heard.set)

    task = asyncio.ensure_future(database.write(work))
    assert await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await heard.wait()
    assert await database.read(names) == ["a"]


async def test_an_error_of_a_write_whose_caller_was_cancelled_is_no_unhandled_one(database: Database) -> None:
    loop = asyncio.get_running_loop()
    unhandled: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    begun = asyncio.Event()

    def callback(tx: Transaction) -> None:
        loop.call_soon_threadsafe(begun.set)
        for _ in range(200):  # long enough for the cancel to come in between
            tx.execute(select(1))
        raise RuntimeError("the callback's own mistake")

    task = asyncio.create_task(database.write(callback))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.write(lambda tx: tx.execute(select(1)).scalar())
    await database.close()
    del task
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert unhandled == []


async def test_a_cancelled_insert_leaves_the_others_alone(database: Database) -> None:
    bulk = database.bulk(note, "name", columns=["name"])
    tasks = [asyncio.ensure_future(bulk.insert((f"n{number}",))) for number in range(200)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [True] * 100
    assert {f"n{number}" for number in range(1, 200, 2)} <= set(await database.read(names))


async def test_a_cancelled_read_leaves_the_others_alone(database: Database) -> None:
    await database.write(lambda tx: add(tx, "a"))
    tasks = [asyncio.ensure_future(database.read(names)) for _ in range(50)]
    await asyncio.sleep(0.001)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [["a"]] * 25
    assert await asyncio.gather(*[database.read(names) for _ in range(20)]) == [["a"]] * 20


async def test_too_many_are_refused_at_once_and_the_rest_is_stored(sqlite: Database) -> None:
    begun, held = threading.Event(), threading.Event()
    first = asyncio.ensure_future(sqlite.write(lambda _tx: begun.set() or held.wait(60)))
    assert await asyncio.to_thread(begun.wait, 60)
    bulk = sqlite.bulk(note, "name", columns=["name"])
    waiting = [asyncio.ensure_future(bulk.insert((f"n{number}",))) for number in range(10_000)]
    await wait_until_waiting(sqlite, 10_000)
    for refused in (bulk.insert(("late",)), sqlite.write(names)):
        with pytest.raises(StorageUnavailable, match="cannot keep up"):
            await asyncio.wait_for(refused, timeout=30)  # half of the time for which the writer is held
    held.set()
    assert await first
    assert all(await asyncio.gather(*waiting))
    assert await bulk.insert(("late",))


async def test_too_many_are_refused_by_postgres_too(postgres: Database, postgres_url: str) -> None:
    bulk = postgres.bulk(note, "name", columns=["name"])
    async with another_client(postgres_url) as other, other.transaction():
        await other.execute("LOCK note")
        waiting = [asyncio.ensure_future(bulk.insert((f"n{number}",))) for number in range(11_500)]
        async with asyncio.timeout(30):
            await asyncio.wait(waiting[10_000:])
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert outcomes.count(True) == 10_000
    assert all(isinstance(outcome, StorageUnavailable) for outcome in outcomes[10_000:])


async def test_what_waits_at_the_close_is_stored_and_later_calls_are_refused(database: Database, url: str) -> None:
    bulk = database.bulk(note, "name", columns=["name"])
    tasks = [asyncio.ensure_future(bulk.insert((f"n{number}",))) for number in range(100)]
    tasks += [asyncio.ensure_future(database.write(lambda tx: add(tx, "w") or True))]
    await asyncio.sleep(0)
    await database.close()
    assert all(await asyncio.gather(*tasks))
    for call in (database.read(names), database.write(names), bulk.insert(("x",)), database.ping()):
        with pytest.raises(StorageUnavailable, match="closed"):
            await call
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("sqlite")]


async def test_closing_waits_for_what_is_read(database: Database) -> None:
    """A connection that is in use is not the pool's to close, and would stay open after the database."""
    reading = [asyncio.ensure_future(database.read(names)) for _ in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert all(one.done() for one in reading)
    assert await asyncio.gather(*reading) == [[]] * 20
