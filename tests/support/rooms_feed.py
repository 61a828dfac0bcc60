"""Writers and readers of the live feed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from sqlalchemy import select

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.storage import Transaction
from stagedoor.tenancy.store import apps


def app_id_of(tx: Transaction) -> str:
    """The first app."""
    found: str | None = tx.execute(select(apps.c.id)).scalar()
    assert found is not None
    return found


def event(app_id: str, subject: str, room: str = "live-a") -> NewEvent:
    return NewEvent(app_id, "data.sent", "api", 1_760_000_000_000, room, subject)


async def read(
    feed: Feed, app_id: str, wanted: int, *, after: int = 0, room: str | None = None, seconds: float = 30
) -> list[tuple[int, str]]:
    """Sequence number and subject of the next events, as many as are wanted."""
    found: list[tuple[int, str]] = []
    async with asyncio.timeout(seconds):
        with feed.subscribe(app_id, after, room) as reader:
            async with aclosing(feed.follow(reader, 60)) as batches:
                async for batch in batches:
                    found += [(one.seq, one.subject) for one in batch.events] if batch is not None else []
                    if len(found) >= wanted:
                        break
    return found
