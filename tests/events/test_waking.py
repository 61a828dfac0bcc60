"""A reader is woken by the commit, not by the clock; and says that it lives when there is nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from stagedoor.events.feed import Feed
from stagedoor.kernel.errors import TooMany
from stagedoor.storage import Database
from tests.support.product import eventually
from tests.support.rooms_feed import event, read


async def readers_of(feed: Feed, number: int) -> None:
    """Return when so many read."""

    async def there() -> bool:
        return feed.clients == number

    await eventually(there)


async def test_an_event_wakes_its_readers_at_once(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=600)  # which no reader here waits for
    seq = 0
    for number in range(20):
        reading = asyncio.create_task(read(feed, app_id, 1, after=seq))
        await readers_of(feed, 1)
        await database.write(lambda tx, number=number: feed.append(tx, event(app_id, str(number))))
        ((seq, subject),) = await reading
        assert subject == str(number)


async def test_only_the_asked_room(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=60)
    for number, room in enumerate(("live-a", "live-b", "live-a")):
        await database.write(lambda tx, number=number, room=room: feed.append(tx, event(app_id, str(number), room)))
    assert [subject for _, subject in await read(feed, app_id, 2, room="live-a")] == ["0", "2"]


async def test_a_reader_of_a_quiet_room_says_that_it_lives_while_others_are_busy(
    database: Database, app_id: str
) -> None:
    feed = Feed(database, poll_seconds=60)
    busy = True

    async def others() -> None:
        while busy:
            await database.write(lambda tx: feed.append(tx, event(app_id, "elsewhere", "live-b")))

    writing = asyncio.create_task(others())
    try:
        async with asyncio.timeout(10):
            with feed.subscribe(app_id, 0, "live-a") as reader:
                async with aclosing(feed.follow(reader, 0.3)) as batches:
                    async for batch in batches:
                        assert batch is None
                        break
    finally:
        busy = False
        await writing


async def test_closing_ends_every_reader(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=60)
    readers = [asyncio.create_task(read(feed, app_id, 1)) for _ in range(3)]
    await readers_of(feed, 3)
    feed.close()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*readers) == [[], [], []]
    assert feed.clients == 0


async def test_an_app_has_only_so_many_readers(database: Database, app_id: str) -> None:
    feed = Feed(database, max_clients=2)
    with feed.subscribe(app_id, 0), feed.subscribe(app_id, 0):
        with pytest.raises(TooMany), feed.subscribe(app_id, 0):
            pass
        with feed.subscribe("app_other", 0):
            assert feed.clients == 3
    with feed.subscribe(app_id, 0):
        assert feed.clients == 1
