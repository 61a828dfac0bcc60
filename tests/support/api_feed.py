"""A reader of the live feed, as an `EventSource` in a browser reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class FeedEvent:
    """One server-sent event."""

    id: int
    type: str
    data: dict[str, Any]


@asynccontextmanager
async def following(
    http: aiohttp.ClientSession, url: str, key: str, app: str, query: str = "", *, after: int | None = None
) -> AsyncGenerator[AsyncIterator[FeedEvent]]:
    """The app's feed; with `after` it is taken up after the event with that id."""
    headers = {"Authorization": f"Bearer {key}"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with http.get(f"{url}/api/v1/apps/{app}/events{query}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"retry: 2000\n\n"
        yield _events(answer.content)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[FeedEvent]:
    while True:
        try:
            block = await content.readuntil(b"\n\n")
        except aiohttp.ClientPayloadError:
            return
        if not block:
            return
        fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if line and line[0] != ":")
        if fields:
            yield FeedEvent(int(fields["id"]), fields["event"], json.loads(fields["data"]))


async def take(events: AsyncIterator[FeedEvent], count: int) -> list[FeedEvent]:
    """The next events."""
    return [await anext(events) for _ in range(count)]
