"""A reader outlives a database that is away for a moment, and misses nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stagedoor.events.feed import Feed
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, open_database
from tests.support.postgres import running_postgres
from tests.support.rooms_feed import app_id_of, event, read
from tests.support.rooms_harness import prepare


async def test_postgresql_restarts() -> None:
    with running_postgres() as server:
        await prepare(server.url())
        database = await open_database(server.url())
        app_id = await database.read(app_id_of)
        feed = Feed(database, poll_seconds=0.1)
        reading = asyncio.create_task(read(feed, app_id, 2))
        await database.write(lambda tx: feed.append(tx, event(app_id, "before")))
        await asyncio.to_thread(server.stop)
        with pytest.raises(StorageUnavailable):
            await database.read(app_id_of)
        await asyncio.to_thread(server.start)
        await database.write(lambda tx: feed.append(tx, event(app_id, "after")))
        assert [subject for _, subject in await reading] == ["before", "after"]
        await database.close()


async def test_a_failed_read_is_tried_again_soon_without_a_wake_up(
    database: Database, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(database, poll_seconds=60)
    real = database.read
    failures = 2

    async def failing(work: Callable[..., Any]) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageUnavailable("away")
        return await real(work)

    await database.write(lambda tx: feed.append(tx, event(app_id, "stored")))
    monkeypatch.setattr(database, "read", failing)
    assert [subject for _, subject in await read(feed, app_id, 1, seconds=10)] == ["stored"]
