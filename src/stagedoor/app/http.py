"""The HTTP server: uvicorn on a socket of ours, stopped by us and not by signals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode

from stagedoor.api.live.raw_writer import PIPE, RawWriter
from stagedoor.app.listening import listen
from stagedoor.kernel.settings import Settings
from stagedoor.sources.cameras.closing import TOO_BIG
from stagedoor.sources.cameras.intake import LARGEST_FRAME

_CLOSING_SECONDS: Final = 5
_PING_SECONDS: Final = 20.0
"""Between two pings of a WebSocket, and until the answer to one must be here."""

_LINGER_SECONDS: Final = 5.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # the product stops in its own order


class _Http(HttpToolsProtocol):
    """uvicorn's, which offers the connection to those who have more to write than an answer.

    And when a connection is lost, every request on it is told. uvicorn 0.54 tells the newest alone, so one that was
    sent behind a stream, without waiting for its end, would leave the stream going for ever.
    """

    _earlier: tuple[RequestResponseCycle, ...] = ()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {PIPE: {"pipe": RawWriter(self.transport, self.flow.drain)}}

    def on_headers_complete(self) -> None:
        before: Any = self.cycle  # None at first, whatever its type says
        super().on_headers_complete()
        if before is not None and not before.response_complete:
            self._earlier = (*(cycle for cycle in self._earlier if not cycle.response_complete), before)

    def handle_websocket_upgrade(self) -> None:
        current: Any = self.cycle
        if current is not None and not current.response_complete:
            # The WebSocket would take the connection over, and whoever answers on it would not learn of its end.
            self.transport.close()
            return
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for cycle in self._earlier:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()


class _WebSockets(WebSocketsSansIOProtocol):
    """uvicorn's, with what uvicorn 0.54 gets wrong put right.

    It takes a refusal before the upgrade for an endpoint that forgot to answer, and logs an error for each: `send`
    never sets `handshake_complete` after `websocket.http.response.body`. And it closes on a message that is too large
    while the rest of it comes in, which resets the connection, so that the device never sees why.
    """

    async def send(self, message: Any) -> None:
        if self.close_sent and not self.disconnected and message["type"] in {"websocket.send", "websocket.close"}:
            raise ClientDisconnected  # it was ended for what the client sent; uvicorn calls that a mistake of ours
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:  # what follows a mistake is read, and nothing is made of it
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent or Close(1002, "")
        output = b"".join(self.conn.data_to_send())
        if isinstance(self.conn.parser_exc, PayloadTooBig):
            closing = Close(TOO_BIG.code, TOO_BIG.reason)
            output = Frame(Opcode.CLOSE, closing.serialize()).serialize(mask=False)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(output)
        self.close_sent = True
        self.stop_keepalive()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.close)


class HttpServer:
    """Listens as soon as it is made, and serves once started.

    Args:
        settings: Where to listen.
        listening: The socket to serve, when there is one already.
    """

    def __init__(self, settings: Settings, listening: socket.socket | None = None) -> None:
        self._socket = listening or listen(settings.http_host, settings.http_port)
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: FastAPI) -> asyncio.Task[None]:
        """Serve `app`; the task ends when the server does."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=_Http,
            ws=_WebSockets,
            ws_per_message_deflate=False,
            ws_max_size=LARGEST_FRAME,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            timeout_graceful_shutdown=_CLOSING_SECONDS,
            server_header=False,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - a flag, and no event for it
            await asyncio.sleep(0.005)
        return self._task

    async def stop(self) -> None:
        """Finish what is being answered, for some seconds, and let go of the socket."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.wait({self._task})
        self._socket.close()
