"""The HTTP server: uvicorn on a listening socket made here, stopped by the product and not by signals."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from stagedoor.api.call_limits import CallLimitMiddleware
from stagedoor.api.front import FrontedApp
from stagedoor.app.connection_limits import connection_limits
from stagedoor.app.http_connection import HttpConnection
from stagedoor.app.listening import listen
from stagedoor.app.websocket_connection import WebSocketConnection
from stagedoor.settings.installation import Settings

_CLOSING_SECONDS: Final = 5
_PING_SECONDS: Final = 20.0
"""Between two pings of a WebSocket, and until the answer to one must be here."""

_TICK_SECONDS: Final = 1.0
"""Between two looks at what connections wait for."""


class _Server(uvicorn.Server):
    """uvicorn's, which wakes up once a second instead of ten times, and ends connections that wait for too long."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # the product stops in its own order

    async def main_loop(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _TICK_SECONDS)
            now = loop.time()
            # While the process stood still, no client could send it anything.
            elapsed = min(now - before, 2 * _TICK_SECONDS)
            before = now
            for connection in list(self.server_state.connections):
                if isinstance(connection, HttpConnection):
                    connection.tick(elapsed)


class HttpServer:
    """Listens as soon as it is made, and serves once started.

    Args:
        settings: Where to listen, and the limits of a connection.
        listening: The socket to serve, when there is one already.
    """

    def __init__(self, settings: Settings, listening: socket.socket | None = None) -> None:
        self._settings = settings
        self._socket = listening or listen(settings.http_host, settings.http_port)
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp) -> asyncio.Task[None]:
        """Serve `app`; the task ends when the server does."""
        limits = connection_limits(self._settings, _raise_file_limit())
        connection: Any = partial(
            HttpConnection, limits=limits, direct=app.direct if isinstance(app, FrontedApp) else {}
        )
        web_socket: Any = partial(WebSocketConnection, limits=limits)
        config = uvicorn.Config(
            CallLimitMiddleware(app, self._settings.api_max_calls),
            log_config=None,
            access_log=False,
            lifespan="off",
            http=connection,
            ws=web_socket,
            ws_per_message_deflate=False,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            timeout_keep_alive=self._settings.http_keep_alive,
            forwarded_allow_ips=list(self._settings.trusted_proxies),
            timeout_graceful_shutdown=_CLOSING_SECONDS,
            server_header=False,
        )
        # What is not HTTP is answered; a line in the log for each would let strangers fill it.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - a flag, and no event for it
            await asyncio.sleep(0.005)
        return self._task

    async def stop(self) -> None:
        """Finish what is being answered, for some seconds, and let go of the socket."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.stopping.set()
            await asyncio.wait({self._task})
        self._socket.close()


def _raise_file_limit() -> int:
    """Have as many files open as the system lets us: the usual soft limit of 1,024 is fewer than a server has clients.

    Returns:
        How many that is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
