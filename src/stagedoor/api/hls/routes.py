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

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from stagedoor.access.admission import Admission
from stagedoor.api.hls.openapi_paths import INDEX, MEDIA, OPERATIONS, VIDEO
from stagedoor.api.hls.ranges import answer_range
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.services import services_of
from stagedoor.api.viewer_admission import admit
from stagedoor.kernel.encodings import accepts
from stagedoor.kernel.errors import BadRequest, Invalid, NotFound, Problem
from stagedoor.outputs.hls.metrics import HLS_SENT
from stagedoor.outputs.hls.reload import Wanted
from stagedoor.outputs.hls.rooms import no_source
from stagedoor.outputs.hls.settings import HlsSettings
from stagedoor.tenancy.room_names import livekit_name

_VIEWER: Final = "the link's token, an API key with rooms:read or the app's playback policy decides"
_BY_PATH: Final = "the secret in the path, which an admitted viewer's playlist has, decides"
_PLAYLIST: Final = "application/vnd.apple.mpegurl"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_LONGEST_VIEWER: Final = 64
_PREFLIGHT: Final = FOR_ANY_PAGE | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Range",
    "Access-Control-Max-Age": "86400",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def routes() -> list[BaseRoute]:
    """For the application."""
    found: list[BaseRoute] = []
    for path, endpoint, because in ((INDEX, _index, _VIEWER), (VIDEO, _video, _VIEWER), (MEDIA, _media, _BY_PATH)):
        found += [
            HotRoute(path, _answered(endpoint), method="GET", public_because=because, operation=OPERATIONS[path]),
            HotRoute(path, _options, method="OPTIONS", public_because="it says nothing of the room"),
        ]
    return found


def _answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose refusals a page of another origin may read too, and no cache keeps."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            problem.headers |= FOR_ANY_PAGE | {"Cache-Control": "no-store"}
            raise

    return answer


async def _options(request: Request) -> Response:
    del request
    return Response(status_code=204, headers=_PREFLIGHT)


async def _index(request: Request) -> Response:
    services = services_of(request)
    admission = await _admitted(request)
    room = await services.hls.room(admission)
    if not await room.begun() or not room.live:
        raise no_source()
    query = {"viewer": secrets.token_urlsafe(9)}
    if token := request.query_params.get("token"):
        query = {"token": token} | query
    headers = FOR_ANY_PAGE | {"Cache-Control": "no-store"}
    HLS_SENT.labels("playlist").inc()
    return _playlist(request, room.multivariant(f"video.m3u8?{urlencode(query)}"), None, headers)


async def _video(request: Request) -> Response:
    services = services_of(request)
    admission = await _admitted(request)
    wanted = _wanted(request)
    room = await services.hls.room(admission)
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
    cached_by = "private" if "token" in request.query_params or "authorization" in request.headers else "public"
    headers = FOR_ANY_PAGE | {"Cache-Control": f"{cached_by}, max-age=1"}
    HLS_SENT.labels("playlist").inc()
    return _playlist(request, rendered.plain, rendered.packed, headers)


async def _media(request: Request) -> Response:
    try:
        name = livekit_name(request.path_params["app"], request.path_params["room"])
    except Invalid:
        name = ""
    room = services_of(request).hls.find(name)
    path = f"{request.path_params['secret']}/{request.path_params['name']}"
    media = None if room is None else await room.media(path)
    if media is None:
        raise NotFound("This segment is not there, or not any more.", code="no_such_segment")
    kind = "init" if path.endswith("/init.mp4") else "part" if path.count(".") > 1 else "segment"
    HLS_SENT.labels(kind).inc()
    return answer_range(request, media, "video/mp4", FOR_ANY_PAGE | {"Cache-Control": _IMMUTABLE})


async def _admitted(request: Request) -> Admission:
    services = services_of(request)
    app, room = request.path_params["app"], request.path_params["room"]
    return await admit(request, services, app, room, apps=services.hls.apps())


def _wanted(request: Request) -> Wanted | None:
    number, part = (_whole(request, name) for name in ("_HLS_msn", "_HLS_part"))
    if number is None:
        if part is not None:
            raise BadRequest("_HLS_part is sent with _HLS_msn only.", code="bad_delivery_directive")
        return None
    return Wanted(number, part)


def _whole(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"{name} is a whole number.", code="bad_delivery_directive")
    return int(text)


def _viewer(request: Request) -> str:
    """Names the viewer: as the multivariant playlist has named it, or else by what its player and line look like."""
    named = request.query_params.get("viewer")
    if named and len(named) <= _LONGEST_VIEWER:
        return named
    address = request.client.host if request.client else ""
    token = request.query_params.get("token", "")
    seen = "\n".join((address, request.headers.get("user-agent", ""), token))
    return hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()


def _playlist(request: Request, plain: bytes, packed: bytes | None, headers: dict[str, str]) -> Response:
    headers = headers | {"Vary": "Accept-Encoding"}
    if packed is not None and accepts(request.headers.get("accept-encoding", ""), "gzip"):
        return Response(packed, media_type=_PLAYLIST, headers=headers | {"Content-Encoding": "gzip"})
    return Response(plain, media_type=_PLAYLIST, headers=headers)
