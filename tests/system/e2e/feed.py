"""The live feed of one room, read beside a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.product import RunningProduct

_FOR_EVER = aiohttp.ClientTimeout(total=None)


def now_ms() -> int:
    """LiveKit and Stagedoor run on this machine, so their clocks are this one."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Received:
    """An event of the feed, and when it arrived."""

    body: dict[str, Any]
    arrived_ms: int

    @property
    def type(self) -> str:
        return self.body["type"]


class Feed:
    """What the live feed has sent so far."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._more = asyncio.Condition()

    async def hear(self, body: dict[str, Any]) -> None:
        async with self._more:
            self.received.append(Received(body, now_ms()))
            self._more.notify_all()

    async def until(self, type_: str, count: int = 1, *, seconds: float = 60.0, **fields: Any) -> Received:
        """The event of that type, and with those values in its detail, that is the `count`th to come."""

        def found() -> list[Received]:
            return [
                received
                for received in self.received
                if received.type == type_
                and all(received.body["detail"].get(key) == value for key, value in fields.items())
            ]

        async with self._more:
            try:
                async with asyncio.timeout(seconds):
                    await self._more.wait_for(lambda: len(found()) >= count)
            except TimeoutError:
                heard = [received.type for received in self.received]
                raise AssertionError(f"the feed did not tell of {type_} {fields}, only of {heard}") from None
            return found()[count - 1]


@asynccontextmanager
async def following(http: aiohttp.ClientSession, product: RunningProduct, room: str) -> AsyncGenerator[Feed]:
    """Follow the room's live feed from now on."""
    feed = Feed()
    url = f"{product.url}/api/v1/apps/live/events?room={room}"
    headers = {"Authorization": f"Bearer {product.api_key}"}
    async with http.get(url, headers=headers, timeout=_FOR_EVER) as answer:
        assert answer.status == 200
        reader = asyncio.create_task(_read(answer, feed))
        try:
            yield feed
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader


async def _read(answer: aiohttp.ClientResponse, feed: Feed) -> None:
    async for line in answer.content:
        if line.startswith(b"data: "):
            await feed.hear(json.loads(line.removeprefix(b"data: ")))
