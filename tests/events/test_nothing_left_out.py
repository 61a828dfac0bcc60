"""A reader gets every event once, in the order of its number, however many write at the same time."""

from __future__ import annotations

import asyncio

import pytest

from stagedoor.events import store
from stagedoor.events.feed import Feed
from stagedoor.storage import Database, Transaction, open_database
from tests.support.rooms_feed import event, read

WRITERS, EACH = 12, 25


async def write(feed: Feed, database: Database, app_id: str, writer: int) -> None:
    for step in range(EACH):

        def work(tx: Transaction, step: int = step) -> None:
            for part in range(1 + step % 3):
                feed.append(tx, event(app_id, f"{writer}.{step}.{part}"))

        await database.write(work)


EXPECTED = {
    f"{writer}.{step}.{part}" for writer in range(WRITERS) for step in range(EACH) for part in range(1 + step % 3)
}


async def test_with_many_writers_and_readers(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=30)
    readers = [asyncio.create_task(read(feed, app_id, len(EXPECTED))) for _ in range(5)]
    await asyncio.gather(*(write(feed, database, app_id, writer) for writer in range(WRITERS)))
    for found in await asyncio.gather(*readers):
        assert len(found) == len(EXPECTED)
        assert {subject for _, subject in found} == EXPECTED
        assert found == sorted(found)


async def test_taken_up_again_where_it_was_left(database: Database, app_id: str) -> None:
    """A reader that goes away after every few events, as one on a bad line does."""
    feed = Feed(database, poll_seconds=30)
    writing = asyncio.gather(*(write(feed, database, app_id, writer) for writer in range(WRITERS)))
    found: list[tuple[int, str]] = []
    while len(found) < len(EXPECTED):
        found += await read(feed, app_id, 1, after=found[-1][0] if found else 0)
    await writing
    assert len(found) == len(EXPECTED)
    assert {subject for _, subject in found} == EXPECTED
    assert found == sorted(found)


async def test_what_is_rolled_back_is_never_seen(database: Database, app_id: str) -> None:
    feed = Feed(database, poll_seconds=30)

    def refused(tx: Transaction) -> None:
        feed.append(tx, event(app_id, "never"))
        raise ValueError("no")

    reading = asyncio.create_task(read(feed, app_id, 1))
    with pytest.raises(ValueError, match="no"):
        await database.write(refused)
    await database.write(lambda tx: feed.append(tx, event(app_id, "yes")))
    assert [subject for _, subject in await reading] == ["yes"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_transaction_that_commits_late_hides_nothing(url: str, database: Database, app_id: str) -> None:
    """Two nodes: the first takes its number, is delayed, and commits after the second began; no reader skips it."""
    feed = Feed(database, poll_seconds=0.05)
    node = await open_database(url)
    reading = asyncio.create_task(read(feed, app_id, 40))
    try:

        def slow(tx: Transaction, number: int) -> None:
            store.insert_events(tx, [event(app_id, f"slow {number}")])
            tx.connection.exec_driver_sql("SELECT pg_sleep(0.03)")

        async def slow_node() -> None:
            for number in range(20):
                await node.write(lambda tx, number=number: slow(tx, number))

        async def quick_node() -> None:
            for number in range(20):
                await database.write(lambda tx, number=number: feed.append(tx, event(app_id, f"quick {number}")))
                await asyncio.sleep(0.01)

        await asyncio.gather(slow_node(), quick_node())
        found = await reading
    finally:
        reading.cancel()
        await node.close()
    assert {subject for _, subject in found} == {
        f"{kind} {number}" for kind in ("slow", "quick") for number in range(20)
    }
    assert found == sorted(found)
