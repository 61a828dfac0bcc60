"""A real HTTP server that takes webhooks, remembers them, and answers as the test wants: fail, hang, drip, hang up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Taken:
    """A message as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What a server took, and how it answers.

    Attributes:
        answer: Makes the answer to a message; 200 by default.
    """

    url: str = ""
    taken: list[Taken] = field(default_factory=list[Taken])
    answer: Callable[[web.Request, Taken], Awaitable[web.StreamResponse]] | None = None
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ids(self) -> list[str]:
        """The message ids, in the order in which they came."""
        return [one.headers["webhook-id"] for one in self.taken]

    async def next(self) -> Taken:
        """The first message, as soon as there is one."""
        await self._came.wait()
        return self.taken[0]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        one = Taken(dict(request.headers), await request.read())
        one.headers = {name.lower(): value for name, value in one.headers.items()}
        self.taken.append(one)
        self._came.set()
        return web.Response(text="ok") if self.answer is None else await self.answer(request, one)


def status(code: int, **headers: str) -> Any:
    """An answer with this status."""

    async def answer(_request: web.Request, _taken: Taken) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncGenerator[Receiver]:
    """A server on a free port."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    server: Any = site._server  # pyright: ignore[reportPrivateUsage]  # aiohttp names its port nowhere else
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{port}/hooks"
    try:
        yield receiver
    finally:
        await asyncio.shield(runner.cleanup())
