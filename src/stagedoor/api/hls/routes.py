"""The routes of HLS.

The token is in the query of playlists alone. Media has a secret in its path instead, the same for all viewers of a room
and another one for each segment: a cache has each segment once, and who is refused the playlist cannot guess the next.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope

from stagedoor.access.admission import Admission
from stagedoor.api.front import Answer, FrontRoute, Reply
from stagedoor.api.hls.openapi_paths import INDEX, MEDIA, OPERATIONS, VIDEO
from stagedoor.api.hls.ranges import range_reply
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.viewer_admission import admit
from stagedoor.kernel.encodings import accepts
from stagedoor.kernel.errors import BadRequest, Invalid, NotFound, Problem
from stagedoor.outputs.hls.metrics import HLS_SENT
from stagedoor.outputs.hls.reload import Wanted
from stagedoor.outputs.hls.rooms import no_source
from stagedoor.outputs.hls.settings import HlsSettings
from stagedoor.services.services import Services
from stagedoor.tenancy.room_names import livekit_name

_VIEWER: Final = "the link's token, an API key with rooms:read or the app's playback policy decides"
_BY_PATH: Final = "the secret in the path, which an admitted viewer's playlist has, decides"
_IMMUTABLE: Final = b"public, max-age=31536000, immutable"
_LONGEST_VIEWER: Final = 64
_PREFLIGHT: Final = FOR_ANY_PAGE | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Range",
    "Access-Control-Max-Age": "86400",
}

_FOR_ANY_PAGE: Final = tuple((name.lower().encode(), value.encode()) for name, value in FOR_ANY_PAGE.items())
_MEDIA_HEADERS: Final = (
    (b"content-type", b"video/mp4"),
    (b"cache-control", _IMMUTABLE),
    (b"accept-ranges", b"bytes"),
    *_FOR_ANY_PAGE,
)
_PLAYLIST_HEADERS: Final = (
    (b"content-type", b"application/vnd.apple.mpegurl"),
    (b"vary", b"Accept-Encoding"),
    *_FOR_ANY_PAGE,
)
_SENT: Final = {kind: HLS_SENT.labels(kind) for kind in ("playlist", "segment", "part", "init")}

Endpoint = Callable[[HTTPConnection], Awaitable[Reply]]


def routes(services: Services) -> list[BaseRoute]:
    """For the application.

    Args:
        services: What the routes call. They are front routes: a viewer asks twice for each half second.
    """
    hls = _Hls(services)
    found: list[BaseRoute] = []
    for path, endpoint, because in (
        (INDEX, hls.index, _VIEWER),
        (VIDEO, hls.video, _VIEWER),
        (MEDIA, hls.media, _BY_PATH),
    ):
        found += [
            FrontRoute(path, _answered(endpoint), method="GET", public_because=because, operation=OPERATIONS[path]),
            HotRoute(path, _options, method="OPTIONS", public_because="it says nothing of the room"),
        ]
    return found


def _answered(endpoint: Endpoint) -> Answer:
    """The endpoint, whose refusals a page of another origin may read too, and no cache keeps."""

    async def answer(scope: Scope, receive: Receive) -> Reply:
        del receive
        try:
            return await endpoint(HTTPConnection(scope))
        except Problem as problem:
            problem.headers |= FOR_ANY_PAGE | {"Cache-Control": "no-store"}
            raise

    return answer


async def _options(request: Request) -> Response:
    del request
    return Response(status_code=204, headers=_PREFLIGHT)


class _Hls:
    """Answers the requests of viewers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def index(self, request: HTTPConnection) -> Reply:
        """The multivariant playlist."""
        room = await self._services.hls.room(await self._admitted(request))
        if not await room.begun() or not room.live:
            raise no_source()
        query = {"viewer": secrets.token_urlsafe(9)}
        if token := request.query_params.get("token"):
            query = {"token": token} | query
        return _playlist(request, room.multivariant(f"video.m3u8?{urlencode(query)}"), None, b"no-store")

    async def video(self, request: HTTPConnection) -> Reply:
        """The media playlist."""
        admission = await self._admitted(request)
        wanted = _wanted(request)
        room = await self._services.hls.room(admission)
        viewer = _viewer(request)
        room.viewers.enter(viewer, admission.app.settings.of(HlsSettings).max_viewers)
        try:
            if not await room.begun():
                raise no_source()
            if wanted is not None:
                await room.reached(wanted)
            rendered = room.media_playlist(skip=request.query_params.get("_HLS_skip") in {"YES", "v2"})
        finally:
            room.viewers.leave(viewer, room.viewer_seconds)
        # A playlist that is shown to all may be kept by all; with a token each request is one's own to decide.
        own = "token" in request.query_params or "authorization" in request.headers
        return _playlist(
            request, rendered.plain, rendered.packed, b"private, max-age=1" if own else b"public, max-age=1"
        )

    async def media(self, request: HTTPConnection) -> Reply:
        """A segment, a part or an initialization segment."""
        asked = request.path_params
        try:
            name = livekit_name(asked["app"], asked["room"])
        except Invalid:
            name = ""
        room = self._services.hls.find(name)
        path = f"{asked['secret']}/{asked['name']}"
        media = None if room is None else await room.media(path)
        if media is None:
            raise NotFound("This segment is not there, or not any more.", code="no_such_segment")
        kind = "init" if path.endswith("/init.mp4") else "part" if path.count(".") > 1 else "segment"
        _SENT[kind].inc()
        return range_reply(request.headers.get("range", ""), media, _MEDIA_HEADERS)

    async def _admitted(self, request: HTTPConnection) -> Admission:
        app, room = request.path_params["app"], request.path_params["room"]
        return await admit(request, self._services, app, room, apps=self._services.hls.apps())


def _wanted(request: HTTPConnection) -> Wanted | None:
    number, part = (_whole(request, name) for name in ("_HLS_msn", "_HLS_part"))
    if number is None:
        if part is not None:
            raise BadRequest("_HLS_part is sent with _HLS_msn only.", code="bad_delivery_directive")
        return None
    return Wanted(number, part)


def _whole(request: HTTPConnection, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"{name} is a whole number.", code="bad_delivery_directive")
    return int(text)


def _viewer(request: HTTPConnection) -> str:
    """Names the viewer: as the multivariant playlist has named it, or else by what its player and line look like."""
    named = request.query_params.get("viewer")
    if named and len(named) <= _LONGEST_VIEWER:
        return named
    address = request.client.host if request.client else ""
    token = request.query_params.get("token", "")
    seen = "\n".join((address, request.headers.get("user-agent", ""), token))
    return hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()


def _playlist(request: HTTPConnection, plain: bytes, packed: bytes | None, cache_control: bytes) -> Reply:
    _SENT["playlist"].inc()
    headers = (*_PLAYLIST_HEADERS, (b"cache-control", cache_control))
    if packed is not None and accepts(request.headers.get("accept-encoding", ""), "gzip"):
        plain, headers = packed, (*headers, (b"content-encoding", b"gzip"))
    return Reply(200, plain, (*headers, (b"content-length", b"%d" % len(plain))))
