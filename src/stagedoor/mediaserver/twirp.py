"""LiveKit's server API: protobuf messages over HTTP, as Twirp specifies (https://twitchtv.github.io/twirp/docs/spec_v7.html).

LiveKit's own client is not used, because importing it takes a tenth of a start and retries to other regions are its
only addition.
"""

from __future__ import annotations

from typing import Any, TypeVar

import aiohttp
import msgspec
from google.protobuf.message import Message

from stagedoor.mediaserver.endpoint import Endpoint, http_url
from stagedoor.mediaserver.signing import server_token

M = TypeVar("M", bound=Message)


class TwirpError(Exception):
    """LiveKit refused a call.

    Attributes:
        code: Twirp's, such as `not_found`; `unknown` when the answer is not one of Twirp.
        message: LiveKit's words.
        status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class _Refusal(msgspec.Struct):
    code: str = "unknown"
    msg: str = ""


async def call(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    method: str,
    request: Message,
    answer: type[M],
    grants: dict[str, Any],
) -> M:
    """One call.

    Args:
        session: Whose time-outs hold.
        endpoint: The LiveKit and our key.
        method: Such as `RoomService/ListRooms`.
        request: Its message.
        answer: The type of the answer.
        grants: What the call needs, as LiveKit names it in a token's `video`.

    Raises:
        TwirpError: LiveKit refused it.
        aiohttp.ClientError, TimeoutError, OSError: It could not be asked.
    """
    headers = {
        "Authorization": f"Bearer {server_token(endpoint, grants)}",
        "Content-Type": "application/protobuf",
    }
    url = f"{http_url(endpoint.url).rstrip('/')}/twirp/livekit.{method}"
    async with session.post(url, data=request.SerializeToString(), headers=headers) as response:
        body = await response.read()
        if response.status != 200:
            raise _refused(body, response.status)
    return answer.FromString(body)


def _refused(body: bytes, status: int) -> TwirpError:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except msgspec.MsgspecError:
        refusal = _Refusal(msg=body[:200].decode("utf-8", "replace").strip())
    return TwirpError(refusal.code, refusal.msg, status)
