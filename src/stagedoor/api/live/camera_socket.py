"""`WS /ingest/ws`: a camera's connection, one JPEG a binary message."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from stagedoor.api.live import requests
from stagedoor.api.services import services_of
from stagedoor.kernel.errors import Problem
from stagedoor.sources.cameras.closing import IDLE, NOT_STATS, Close
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.sources.cameras.metrics import CAMERA_CONNECTIONS
from stagedoor.sources.cameras.settings import CameraSettings

_LONGEST_STATS: Final = 4_096
"""Bytes."""

_LEFT: Final = Close(1006, "connection lost")


async def send(socket: WebSocket) -> None:
    """Take a camera's frames, until it leaves or has to."""
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
    settings = live.settings.of(CameraSettings)
    await socket.accept()
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
    """Until the device leaves, sends what it should not, falls silent, or is replaced."""
    reading = asyncio.create_task(_read(socket, live), name=f"camera {live.camera.id}")
    idle = live.settings.of(CameraSettings).idle_timeout
    why = IDLE
    try:
        while (waited := time.monotonic() - live.intake.last) < idle:
            ends: set[asyncio.Future[Close]] = {reading, live.closing}
            done, _ = await asyncio.wait(ends, timeout=idle - waited, return_when=asyncio.FIRST_COMPLETED)
            if done:
                why = done.pop().result()
                break
    finally:
        reading.cancel()
    if why is not _LEFT:
        live.close(why)
        # arduinoWebSockets tells a sketch nothing of the close frame, so the reason comes as a message before it.
        said = msgspec.json.encode({"type": "error", "code": why.code, "message": why.reason}).decode()
        await socket.send({"type": "websocket.send", "text": said})
        await socket.close(why.code, why.reason)
    return why


async def _read(socket: WebSocket, live: LiveCamera) -> Close:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return _LEFT
        data = message.get("bytes")
        why = live.take(data) if data is not None else _note(live, message.get("text") or "")
        if why is not None:
            return why


def _note(live: LiveCamera, text: str) -> Close | None:
    """What the device says of itself is for whoever asks how it is."""
    if len(text.encode()) > _LONGEST_STATS:
        return NOT_STATS
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        return NOT_STATS
    # A tagged struct would not do: msgspec takes an object without the tag for one that has it.
    if said.pop("type", None) != "stats":
        return NOT_STATS
    live.stats.clear()
    live.stats.update(said)
    return None
