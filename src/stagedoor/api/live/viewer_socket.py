"""`WS /live/ws`: a room's frames, one binary message each."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.frames import Frame as Message
from websockets.frames import Opcode

from stagedoor.api.live import requests
from stagedoor.api.live.passing import pass_frames
from stagedoor.api.live.raw_writer import pipe_of
from stagedoor.api.live.throttle import frames
from stagedoor.api.services import services_of
from stagedoor.api.viewer_admission import admit
from stagedoor.streams.hub import Frame, Viewer

NO_CAMERA = 4404
"""No camera sends to the room any more."""

REFUSED = 4401
"""The link has ended, the identity was banned, the key was revoked, or the app's policy has changed."""


async def watch(socket: WebSocket) -> None:
    """Accept a viewer's connection and send it frames until the stream or the connection ends."""
    services = services_of(socket)
    query = socket.query_params
    app, room = query.get("app", ""), query.get("room", "")
    admission = await admit(socket, services, app, room)
    readmission = requests.readmission(socket, services, app, room)
    width, interval = requests.wanted_width(socket), requests.wanted_interval(socket)
    async with services.frame_viewers.view(admission, width, readmission=readmission) as viewer:
        await socket.accept("arduino" if "arduino" in socket.scope["subprotocols"] else None)
        leaving = asyncio.create_task(_until_left(socket, viewer), name="websocket-viewer")
        pipe = None if interval else pipe_of(socket.scope)
        try:
            if pipe is None:
                async for frame in frames(viewer, interval, "websocket"):
                    await socket.send({"type": "websocket.send", "bytes": frame.data})
            else:
                await pass_frames(viewer, pipe, _message, "websocket")
            if socket.client_state is WebSocketState.CONNECTED:
                await socket.close(
                    *((REFUSED, "not admitted any more") if viewer.refused else (NO_CAMERA, "no camera"))
                )
        except WebSocketDisconnect:
            return
        finally:
            leaving.cancel()


def _message(frame: Frame) -> bytes:
    if frame.message is None:
        frame.message = Message(Opcode.BINARY, frame.data).serialize(mask=False)
    return frame.message


async def _until_left(socket: WebSocket, viewer: Viewer) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass  # messages of viewers are ignored
    viewer.end()
