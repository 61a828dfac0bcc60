"""The least that uvicorn and Starlette can do for the same requests: no key, no signature, no database."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from livekit import api
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEY, _SECRET = "APIminimal", "a-secret-that-is-long-enough-for-livekit"


class _Ask(msgspec.Struct):
    room: str
    identity: str
    name: str = ""
    metadata: str = ""


async def take_webhook(request: Request) -> Response:
    """200 for whatever comes."""
    await request.body()
    return Response(status_code=200)


async def mint_token(request: Request) -> Response:
    """A join token by LiveKit's own library."""
    asked = msgspec.json.decode(await request.body(), type=_Ask)
    return Response(
        msgspec.json.encode({"data": {"token": mint(asked.room, asked.identity)}}), 201, media_type="application/json"
    )


def mint(room: str, identity: str) -> str:
    """A join token that lets its holder publish and subscribe."""
    return (
        api.AccessToken(_KEY, _SECRET)
        .with_identity(identity)
        .with_name("Ada")
        .with_metadata("{}")
        .with_ttl(timedelta(hours=1))
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .to_jwt()
    )


app = Starlette(
    routes=[
        Route("/webhooks/livekit", take_webhook, methods=["POST"]),
        Route("/api/v1/apps/live/tokens", mint_token, methods=["POST"]),
    ]
)
