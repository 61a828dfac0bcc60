"""Plain ASGI middleware around every request: the size of bodies, and what Prometheus counts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagedoor.api.metrics import HTTP_REQUESTS, HTTP_SECONDS
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import render
from stagedoor.api.route_template import route_of
from stagedoor.kernel.errors import TooLarge

DRAINED_BYTES: Final = 64 * 1024 * 1024


class BodyLimitMiddleware:
    """Refuses bodies over `limit` bytes, by their announced length or as they come.

    Args:
        exempt: Paths whose routes have a limit of their own.
    """

    def __init__(self, app: ASGIApp, limit: int, exempt: frozenset[str]) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                if message.get("more_body"):
                    await drain(receive)
                raise HTTPException(413)  # the one exception that FastAPI lets through while it reads a body
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await drain(receive)
        problem = TooLarge(f"The body has more than {self._limit} bytes.", extra={"limit": self._limit})
        await render(problem)(scope, receive, send)


async def drain(receive: Receive) -> None:
    """Read on to the body's end and keep nothing of it, up to a bound.

    Many clients write their whole body before they read an answer; to close on them meanwhile resets the connection,
    and they never see why.
    """
    size = 0
    while size < DRAINED_BYTES:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


class MetricsMiddleware:
    """Counts requests by route, and measures the time to the first byte."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = route_of(scope)
                HTTP_REQUESTS.labels(scope["method"], route, message["status"]).inc()
                HTTP_SECONDS.labels(route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, watched)


SECURITY_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
API_HEADERS: Final = (*SECURITY_HEADERS, (b"cache-control", b"no-store"))
"""Answers of the API hold keys, tokens and what only one caller may see: no cache stores them."""


class SecurityHeadersMiddleware:
    """Headers that every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers_for(scope["path"], message["headers"])]
            await send(message)

        await self._app(scope, receive, marked)


def headers_for(path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that an answer at this path has beside its own `headers`."""
    if path.startswith(PREFIX) and all(name != b"cache-control" for name, _ in headers):
        return API_HEADERS
    return SECURITY_HEADERS
