"""`WS /ingest/ws`: a camera's connection, one JPEG a binary message."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from stagedoor.api.live import requests
from stagedoor.api.services import services_of
from stagedoor.kernel.errors import Problem
from stagedoor.sources.cameras.closing import NOT_JPEG, SILENT, TOO_BIG, Close, error_message
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.sources.cameras.metrics import CAMERA_CONNECTIONS

_TOLD_SECONDS: Final = 1.0
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
    reading = asyncio.create_task(_read(socket, live), name=f"camera {live.camera.id}")
    try:
        why = await live.ended(reading)
    finally:
        reading.cancel()
    if why is not _LEFT and why is not SILENT:
        live.close(why)
        rejection = live.intake.rejection
        detail = rejection.message if rejection is not None and why in _BY_FRAMES else ""
        await socket.send({"type": "websocket.send", "text": error_message(why, detail)})
        await socket.close(why.code, why.reason)
    return why


async def _read(socket: WebSocket, live: LiveCamera) -> Close:
    """Receive frames until the connection ends; dropped frames are reported at most once a second."""
    told_at = 0.0
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return SILENT if message.get("code") == SILENT.code else _LEFT
        data = message.get("bytes")
        outcome = (
            live.take(data) if data else live.receive_text(message.get("text") or "")
        )  # an empty one is a keep-alive
        if isinstance(outcome, Close):
            return outcome
        if outcome is None or outcome.reason == "rate":
            continue
        now = time.monotonic()
        if now - told_at >= _TOLD_SECONDS:
            told_at = now
            await socket.send({"type": "websocket.send", "text": _dropped(outcome, live.intake.rejected)})


def _dropped(rejected: Rejected, count: int) -> str:
    message = {"type": "dropped", "reason": rejected.reason, "message": rejected.message, "count": count}
    return msgspec.json.encode(message).decode()
