"""The version of an external LiveKit, which only a join response carries."""

from __future__ import annotations

from typing import Final

import aiohttp

from stagedoor.mediaserver.endpoint import Endpoint, http_url
from stagedoor.mediaserver.signing import access_token

PROBE_PREFIX: Final = "stagedoor.probe."
"""Rooms that Stagedoor makes to try LiveKit out; no app's room can begin so, and their events mean nothing."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def server_version(endpoint: Endpoint) -> str | None:
    """The version, as LiveKit's join answer gives it; `None` when it cannot be read.

    LiveKit has no status endpoint; the first signal message to a participant that joins carries `serverInfo`
    (livekit/protocol `livekit_rtc.proto`, JoinResponse). No media is set up, and the room ends by itself soon after.
    """
    from livekit import api  # an external LiveKit is asked once
    from livekit.protocol import room, rtc

    token = access_token(
        endpoint,
        api.VideoGrants(room_join=True, room=f"{PROBE_PREFIX}version", hidden=True),
        60,
        identity="stagedoor",
        room_config=room.RoomConfiguration(empty_timeout=1, departure_timeout=1),
    )
    url = http_url(endpoint.url)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.ws_connect(f"{url}/rtc", params={"access_token": token, "protocol": "15"}) as socket,
        ):
            message = await socket.receive(timeout=5)
            if message.type is not aiohttp.WSMsgType.BINARY:
                return None
            answer = rtc.SignalResponse.FromString(message.data)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return answer.join.server_info.version or None
