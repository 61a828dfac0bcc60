"""Readers share what is read of an app's newest events, and each still gets every event once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from stagedoor.events import feed as feed_module
from stagedoor.events.feed import Batch, Feed
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database
from tests.support.product import eventually
from tests.support.rooms_feed import event, read

NUMBER = 400
ROOMS = ("live-a", "live-b", "live-c")


async def live(feed: Feed, app_id: str, number: int) -> None:
    """Return when so many readers have caught up."""

    async def there() -> bool:
        return feed.live(app_id) == number

    await eventually(there)


async def moody(feed: Feed, app_id: str, seed: int, wanted: int, room: str | None) -> list[int]:
    """A reader whose connection at times takes nothing at once, and that is slow at times."""
    chance = random.Random(seed)
    found: list[int] = []
    done = asyncio.Event()

    def take(batch: Batch) -> None:
        found.extend(one.seq for one in batch.events)
        if len(found) >= wanted:
            done.set()

    def direct(batch: Batch) -> bool:
        if chance.random() < 0.3:
            return False
        take(batch)
        return True

    async def follow() -> None:
        with feed.subscribe(app_id, 0, room) as reader:
            async with aclosing(feed.follow(reader, 60, direct)) as batches:
                async for batch in batches:
                    assert batch is not None
                    if chance.random() < 0.1:
                        await asyncio.sleep(chance.random() * 0.05)
                    take(batch)

    following = asyncio.create_task(follow())
    async with asyncio.timeout(30):
        await done.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return found


async def test_each_event_once_and_in_order_however_it_comes(
    database: Database, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "WAITING_BATCHES", 2)
    feed = Feed(database, poll_seconds=30)
    of_room = [number for number in range(NUMBER) if number % 3 == 1]
    readers = [asyncio.create_task(moody(feed, app_id, seed, NUMBER, None)) for seed in range(6)]
    readers += [asyncio.create_task(moody(feed, app_id, seed, len(of_room), "live-b")) for seed in range(6)]

    async def write(first: int) -> None:
        for number in range(first, NUMBER, 4):
            room = ROOMS[number % 3]
            await database.write(lambda tx, number=number, room=room: feed.append(tx, event(app_id, str(number), room)))

    await asyncio.gather(*(write(first) for first in range(4)))
    stored = await read(feed, app_id, NUMBER)
    room_of = {seq: ROOMS[int(subject) % 3] for seq, subject in stored}
    for place, reader in enumerate(readers):
        found = await reader
        assert found == [seq for seq, _ in stored if place < 6 or room_of[seq] == "live-b"]
    assert feed.clients == 0


async def test_the_store_is_asked_once_for_all_readers(
    database: Database, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(database, poll_seconds=60)
    readers = [asyncio.create_task(read(feed, app_id, 5)) for _ in range(50)]
    await live(feed, app_id, 50)
    before = database.counters.reads
    for number in range(5):
        await database.write(lambda tx, number=number: feed.append(tx, event(app_id, str(number))))
    for found in await asyncio.gather(*readers):
        assert [subject for _, subject in found] == list("01234")
    assert database.counters.reads - before <= 15, "and not once for each of the fifty"


async def test_what_waits_for_a_slow_reader_is_bounded(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=60)
    with feed.subscribe(app_id, 0) as reader:
        async with aclosing(feed.follow(reader, 60)) as batches:
            following = asyncio.ensure_future(anext(batches))
            await live(feed, app_id, 1)
            for number in range(100):
                await database.write(lambda tx, number=number: feed.append(tx, event(app_id, str(number))))
                assert len(reader.waiting) <= feed_module.WAITING_BATCHES
            found = [one.subject for one in (await following or Batch(0, 0, [])).events]
            async with asyncio.timeout(10):
                while len(found) < 100:
                    found += [one.subject for one in (await anext(batches) or Batch(0, 0, [])).events]
    assert found == [str(number) for number in range(100)]


async def test_a_tail_that_cannot_be_read_for_a_moment_goes_on(
    database: Database, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RETRY_SECONDS", 0.01)
    feed = Feed(database, poll_seconds=60)
    reading = asyncio.create_task(read(feed, app_id, 3))
    await live(feed, app_id, 1)
    real, failures = database.read, [StorageUnavailable("away"), ValueError("a fault of ours")]

    async def failing(work: Callable[..., Any]) -> Any:
        if failures:
            raise failures.pop()
        return await real(work)

    monkeypatch.setattr(database, "read", failing)
    for number in range(3):
        await database.write(lambda tx, number=number: feed.append(tx, event(app_id, str(number))))
    assert [subject for _, subject in await reading] == list("012")
    assert not failures


async def test_a_reader_that_breaks_takes_no_other_with_it(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=60)
    came = asyncio.Event()

    def broken(_: Batch) -> bool:
        raise KeyError

    async def follow() -> list[str]:
        with feed.subscribe(app_id, 0) as reader:
            async with aclosing(feed.follow(reader, 60, broken)) as batches:
                came.set()
                async for batch in batches:
                    return [] if batch is None else [one.subject for one in batch.events]
        return []

    breaking = asyncio.create_task(follow())
    await came.wait()
    others = [asyncio.create_task(read(feed, app_id, 1)) for _ in range(3)]
    await live(feed, app_id, 4)
    await database.write(lambda tx: feed.append(tx, event(app_id, "only")))
    for found in await asyncio.gather(*others):
        assert [subject for _, subject in found] == ["only"]
    assert await breaking == ["only"], "the usual way"
