"""Probe a LiveKit: does it answer, and does it accept the API key."""

from __future__ import annotations

import asyncio

import aiohttp
from livekit.protocol import room

from stagedoor.mediaserver import twirp
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.endpoint import Endpoint


def local_url(config: ManagedConfig) -> str:
    """`http://…` of this LiveKit, as seen from this machine."""
    address = config.bind_addresses[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address)  # noqa: S104 - compared, not bound
    return f"http://{host or (f'[{address}]' if ':' in address else address)}:{config.http_port}"


async def answers(http: aiohttp.ClientSession, url: str, timeout_seconds: float = 3.0) -> bool:
    """Whether `GET /` is answered at all within the time.

    200 is ready. 406 is a LiveKit whose node statistics are more than 4 s old (pkg/service/server.go,
    `healthCheck`): a machine under load, not one without a LiveKit.
    """
    try:
        async with http.get(f"{url}/", timeout=aiohttp.ClientTimeout(total=timeout_seconds)) as response:
            return response.status in {200, 406}
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def accepts_key(http: aiohttp.ClientSession, url: str, api_key: str, api_secret: str) -> bool:
    """Whether a call signed with our key is carried out: proof that this LiveKit was started for us."""
    endpoint = Endpoint(url, url, api_key, api_secret)
    # By a name that no room has: the answer stays small however many rooms there are.
    request = room.ListRoomsRequest(names=["stagedoor:probe"])
    try:
        async with asyncio.timeout(5):
            await twirp.call(
                http, endpoint, "RoomService/ListRooms", request, room.ListRoomsResponse, {"roomList": True}
            )
    except (twirp.TwirpError, aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
    return True
