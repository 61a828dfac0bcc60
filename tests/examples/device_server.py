"""A server that does to a camera what the real one does only in trouble: any refusal, any limit, any end."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.ports import free_ports


@dataclass
class DeviceServer:
    """What it does, and what came.

    Attributes:
        refusal: The status with which the next connections are refused before the upgrade.
        limits: Laid over the `ready` message.
        close_after: Frames after which it ends a connection, with `close_code`.
        abort: It ends without a close frame.
    """

    refusal: int | None = None
    limits: dict[str, Any] = field(default_factory=dict[str, Any])
    close_after: int | None = None
    close_code: int = 1000
    abort: bool = False
    port: int = 0
    tries: list[web.Request] = field(default_factory=list[web.Request])
    frames: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    texts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def connect(self, request: web.Request) -> web.StreamResponse:
        self.tries.append(request)
        if self.refusal is not None:
            return web.json_response({"status": self.refusal}, status=self.refusal, headers={"Retry-After": "1"})
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        ready = {"type": "ready", "room": "live-door", "streamId": "cam_1", "maxFps": 30, "maxFrameBytes": 524288}
        await socket.send_json(ready | {"idleTimeoutSec": 30} | self.limits)
        taken = 0
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.texts.append(json.loads(message.data))
            elif message.type is WSMsgType.BINARY:
                self.frames.append((asyncio.get_running_loop().time(), message.data))
                taken += 1
                if taken == self.close_after:
                    break
        if self.abort:
            assert request.transport is not None
            request.transport.abort()
        elif self.close_after is not None:
            if self.close_code != 1000:
                await socket.send_json({"type": "error", "code": self.close_code, "message": "as the test says"})
            await socket.close(code=self.close_code)
        return socket


@asynccontextmanager
async def device_server(context: ssl.SSLContext | None = None) -> AsyncGenerator[DeviceServer]:
    """It, running; with TLS if there is a context."""
    made = DeviceServer()
    application = web.Application()
    application.router.add_get("/ingest/ws", made.connect)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    (made.port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", made.port, ssl_context=context).start()
    try:
        yield made
    finally:
        await runner.cleanup()
