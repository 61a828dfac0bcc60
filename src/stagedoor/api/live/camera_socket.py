"""`WS /ingest/ws`: a camera's connection, one JPEG a binary message."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from stagedoor.api.live import requests
from stagedoor.api.live.frame_sink import sink_of
from stagedoor.api.services import services_of
from stagedoor.kernel.errors import Problem
from stagedoor.sources.cameras.close_codes import NOT_JPEG, SILENT, TOO_BIG, Close, error_message
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.sources.cameras.metrics import CAMERA_CONNECTIONS

_REPORT_SECONDS: Final = 1.0
"""The least time between two messages about dropped frames."""

_BY_FRAMES: Final = (NOT_JPEG, TOO_BIG)
_LEFT: Final = Close(1006, "connection lost")


async def send(socket: WebSocket) -> None:
    """Accept a camera's connection and frames until either side ends the connection."""
    services = services_of(socket)
    try:
        admitted = await requests.device(socket, services)
        services.camera_authenticator.connects(admitted.camera.id)
        with services.cameras.sending(admitted) as live:
            await _accept(socket, live)
            CAMERA_CONNECTIONS.labels("accepted").inc()
            services.presence_events.online(live)
            why = _LEFT
            try:
                why = await _converse(socket, live)
            finally:
                services.presence_events.offline(live, why.reason)
    except Problem as problem:
        CAMERA_CONNECTIONS.labels(str(problem.status)).inc()
        raise
    except WebSocketDisconnect:
        return


async def _accept(socket: WebSocket, live: LiveCamera) -> None:
    settings = live.settings
    # arduinoWebSockets offers this subprotocol, and some clients fail when the server selects none of those they offer.
    await socket.accept("arduino" if "arduino" in socket.scope["subprotocols"] else None)
    ready = {
        "type": "ready",
        "room": live.room,
        "streamId": live.camera.id,
        "maxFps": settings.max_fps,
        "maxFrameBytes": settings.max_frame_bytes,
        "idleTimeoutSec": settings.idle_timeout,
    }
    await socket.send({"type": "websocket.send", "text": msgspec.json.encode(ready).decode()})


async def _converse(socket: WebSocket, live: LiveCamera) -> Close:
    """Receive until the device leaves, sends only invalid frames, is idle or is replaced; returns the reason."""
    messages = _Messages(socket, live)
    sink = sink_of(socket.scope)
    sink.take = messages.take
    reading = asyncio.create_task(messages.read(), name=f"camera {live.camera.id}")
    try:
        why = await live.ended(reading, messages.ended)
    finally:
        sink.take = None
        reading.cancel()
        messages.close()
    if why is not _LEFT and why is not SILENT:
        live.close(why)
        rejection = live.intake.rejection
        detail = rejection.message if rejection is not None and why in _BY_FRAMES else ""
        await socket.send({"type": "websocket.send", "text": error_message(why, detail)})
        await socket.close(why.code, why.reason)
    return why


class _Messages:
    """A device's messages: its frames, its statistics, and the reports of those that were dropped.

    Attributes:
        ended: Set with the reason when a message ends the connection.
    """

    def __init__(self, socket: WebSocket, live: LiveCamera) -> None:
        self._socket = socket
        self._live = live
        self._reported_at = 0.0
        self._reporting: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Stop reporting dropped frames."""
        if self._reporting is not None:
            self._reporting.cancel()

    def take(self, data: bytes) -> None:
        """Take a binary message; an empty one is a keep-alive."""
        outcome = self._live.take(data) if data else self._live.receive_text("")
        if outcome is not None:
            self._note(outcome)

    async def read(self) -> Close:
        """Receive the messages that the sink does not take, until the device leaves."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return SILENT if message.get("code") == SILENT.code else _LEFT
            data = message.get("bytes")
            if data is not None:
                self.take(data)
            elif (outcome := self._live.receive_text(message.get("text") or "")) is not None:
                self._note(outcome)

    def _note(self, outcome: Rejected | Close) -> None:
        """End the connection, or report a dropped frame to the device: at most once a second, and if it reads that."""
        if isinstance(outcome, Close):
            if not self.ended.done():
                self.ended.set_result(outcome)
            return
        now = time.monotonic()
        if outcome.reason == "rate" or now - self._reported_at < _REPORT_SECONDS:
            return
        if self._reporting is None or self._reporting.done():
            self._reported_at = now
            self._reporting = asyncio.create_task(self._report(_dropped(outcome, self._live.intake.rejected)))

    async def _report(self, text: str) -> None:
        with suppress(WebSocketDisconnect):
            await self._socket.send({"type": "websocket.send", "text": text})


def _dropped(rejected: Rejected, count: int) -> str:
    message = {"type": "dropped", "reason": rejected.reason, "message": rejected.message, "count": count}
    return msgspec.json.encode(message).decode()
