"""`GET /live/{app}/{room}`: whether there is something to look at, and where."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stagedoor.api.addresses import FrameAddresses
from stagedoor.api.live import asking
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.services import services
from stagedoor.rooms.store import count_open_tracks


async def state(request: Request) -> Response:
    """For players, which choose by it how they play."""
    parts = services(request)
    admission = await asking.viewer(request, parts, request.path_params["app"], request.path_params["room"])
    room = admission.livekit_room
    addresses = FrameAddresses(parts.public_url, admission.app.slug, room)
    data = {
        "live": await parts.watching.there(room),
        "bridged": parts.bridges.is_bridged(room),
        "tracks": await parts.database.read(lambda tx: count_open_tracks(tx, room)),
        "viewers": parts.watching.viewers(room),
        "mjpegUrl": addresses.mjpeg,
        "frameUrl": addresses.frame,
        "wsUrl": addresses.viewer_socket,
    }
    headers = FOR_ANY_PAGE | {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode({"data": data}), media_type="application/json", headers=headers)
