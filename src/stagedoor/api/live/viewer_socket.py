"""`WS /live/ws`: a room's frames, one binary message each."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from stagedoor.api.live import requests
from stagedoor.api.live.throttle import frames
from stagedoor.api.services import services_of
from stagedoor.streams.hub import Viewer

NO_CAMERA = 4404
"""No camera sends to the room any more."""

REFUSED = 4401
"""The link has ended, the identity was banned, the key was revoked, or the app's policy has changed."""


async def watch(socket: WebSocket) -> None:
    """Accept a viewer's connection and send it frames until the stream or the connection ends."""
    services = services_of(socket)
    query = socket.query_params
    app, room = query.get("app", ""), query.get("room", "")
    admission = await requests.viewer(socket, services, app, room)
    readmission = requests.readmission(socket, services, app, room)
    width, interval = requests.wanted_width(socket), requests.wanted_interval(socket)
    async with services.frame_viewers.view(admission, width, readmission=readmission) as viewer:
        await socket.accept("arduino" if "arduino" in socket.scope["subprotocols"] else None)
        leaving = asyncio.create_task(_until_left(socket, viewer), name="websocket-viewer")
        try:
            async for frame in frames(viewer, interval, "websocket"):
                await socket.send({"type": "websocket.send", "bytes": frame.data})
            if socket.client_state is WebSocketState.CONNECTED:
                await socket.close(
                    *((REFUSED, "not admitted any more") if viewer.refused else (NO_CAMERA, "no camera"))
                )
        except WebSocketDisconnect:
            return
        finally:
            leaving.cancel()


async def _until_left(socket: WebSocket, viewer: Viewer) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass  # messages of viewers are ignored
    viewer.end()
