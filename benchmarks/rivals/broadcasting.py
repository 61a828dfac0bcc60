"""A live feed from memory: a webhook is read and handed to every open connection. Nothing is stored or resumable."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_readers: set[asyncio.Queue[bytes]] = set()
_numbers = itertools.count(1)


async def publish(request: Request) -> Response:
    """Hand the event to every reader."""
    event = msgspec.json.decode(await request.body())
    number = next(_numbers)
    data = msgspec.json.encode({"id": number, "type": event["event"], "subject": event["participant"]["identity"]})
    frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event["event"].encode(), data)
    for reader in _readers:
        reader.put_nowait(frame)
    return Response(status_code=200)


async def follow(_: Request) -> StreamingResponse:
    """Server-sent events from now on."""
    return StreamingResponse(_frames(), media_type="text/event-stream")


async def _frames() -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    _readers.add(queue)
    try:
        yield b"retry: 2000\n\n"
        while True:
            yield await queue.get()
    finally:
        _readers.discard(queue)


app = Starlette(
    routes=[
        Route("/webhooks/livekit", publish, methods=["POST"]),
        Route("/api/v1/apps/live/events", follow, methods=["GET"]),
    ]
)
