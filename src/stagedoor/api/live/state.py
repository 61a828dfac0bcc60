"""`GET /live/{app}/{room}`: whether there is something to look at, and where."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stagedoor.api.addresses import FrameAddresses
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.services import services_of
from stagedoor.api.viewer_admission import admit
from stagedoor.rooms.presence import count_open_tracks


async def state(request: Request) -> Response:
    """For players, which choose by it how they play."""
    services = services_of(request)
    admission = await admit(request, services, request.path_params["app"], request.path_params["room"])
    room = admission.livekit_room
    addresses = FrameAddresses(services.public_url, admission.app.slug, room)
    data = {
        "live": await services.frame_viewers.there(room),
        "bridged": services.bridges.is_bridged(room),
        "tracks": await services.database.read(lambda tx: count_open_tracks(tx, room)),
        "viewers": services.frame_viewers.viewers(room),
        "mjpegUrl": addresses.mjpeg,
        "frameUrl": addresses.frame,
        "wsUrl": addresses.viewer_socket,
    }
    headers = FOR_ANY_PAGE | {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode({"data": data}), media_type="application/json", headers=headers)
