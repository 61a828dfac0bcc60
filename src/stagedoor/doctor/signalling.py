"""Join a room far enough for LiveKit to begin ICE: take its offer, answer it, and learn where it listens.

No media and no DTLS follow. LiveKit's offer to a participant that joins has one data channel (it offers first,
with protocol 3 and later), and after an answer its ICE agent answers connectivity checks.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp
from livekit import api
from livekit.protocol import rtc

from stagedoor.mediaserver.endpoint import Endpoint, http_url
from stagedoor.mediaserver.signing import access_token

_TIMEOUT_SECONDS: Final = 10.0
_UFRAG: Final = "stagedoor"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where LiveKit takes media."""

    protocol: Literal["udp", "tcp"]
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class IceOffer:
    """What a check needs: the places, and the user name and password of LiveKit's agent."""

    candidates: tuple[Candidate, ...]
    username: str
    password: str


@asynccontextmanager
async def ice_offer(endpoint: Endpoint, room: str) -> AsyncGenerator[IceOffer]:
    """LiveKit's offer, whose agent answers while this is open.

    Raises:
        TimeoutError: It did not come.
        aiohttp.ClientError: LiveKit would not let us join.
        ValueError: It is not an offer as LiveKit 1.13.5 makes it.
    """
    url = http_url(endpoint.url)
    query = {"access_token": _token(endpoint, room), "protocol": "15"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/rtc", params=query) as socket:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            offer = await _exchange(socket)
        yield offer


async def _exchange(socket: aiohttp.ClientWebSocketResponse) -> IceOffer:
    candidates: list[Candidate] = []
    credentials: tuple[str, str] | None = None
    final = False
    while credentials is None or not final:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise aiohttp.ClientError("LiveKit ended the signalling connection")
        answer = rtc.SignalResponse.FromString(message.data)
        kind = answer.WhichOneof("message")
        if kind == "offer":
            credentials = (_line(answer.offer.sdp, "a=ice-ufrag:"), _line(answer.offer.sdp, "a=ice-pwd:"))
            description = rtc.SessionDescription(type="answer", sdp=_answer(answer.offer.sdp), id=answer.offer.id)
            await socket.send_bytes(rtc.SignalRequest(answer=description).SerializeToString())
        elif kind == "trickle":
            candidates += _candidate(answer.trickle.candidateInit)
            final = answer.trickle.final
    return IceOffer(tuple(dict.fromkeys(candidates)), f"{credentials[0]}:{_UFRAG}", credentials[1])


def _token(endpoint: Endpoint, room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room, hidden=True)
    return access_token(endpoint, grants, 60, identity="stagedoor-doctor")


def _line(sdp: str, start: str) -> str:
    found = next((line[len(start) :] for line in sdp.splitlines() if line.startswith(start)), "")
    if not found:
        raise ValueError(f"LiveKit's offer has no {start}")
    return found


def _candidate(init: str) -> list[Candidate]:
    """`candidate:<foundation> <component> <protocol> <priority> <host> <port> typ …` (RFC 8839 §5.1)."""
    text: Any = json.loads(init).get("candidate") or ""
    fields = str(text).split()
    if len(fields) < 6 or fields[2] not in {"udp", "tcp"}:
        return []
    return [Candidate("udp" if fields[2] == "udp" else "tcp", fields[4], int(fields[5]))]


def _answer(offer: str) -> str:
    """An answer that takes the data channel; its DTLS fingerprint is made up, because no DTLS follows."""
    mid = _line(offer, "a=mid:")
    fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {mid}",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{_UFRAG}",
        f"a=ice-pwd:{secrets.token_hex(12)}",
        f"a=fingerprint:sha-256 {fingerprint}",
        "a=setup:active",
        f"a=mid:{mid}",
        "a=sctp-port:5000",
    )
    return "\r\n".join(lines) + "\r\n"
