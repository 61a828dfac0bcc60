"""The routes of WHIP.

An encoder posts its offer to `/whip/{app}/{room}` with its stream key as Bearer, or, where it has one field only, to
`/whip/{streamKey}`. `Location` is the session's own URL, which its holder can trickle to, restart and delete: it cannot
be guessed, and does not have the key in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from stagedoor.api.authentication import secret_in
from stagedoor.api.bodies import read_body
from stagedoor.api.middleware import drain
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.services import services_of
from stagedoor.api.whip.headers import PREFLIGHT, if_match, quoted
from stagedoor.api.whip.openapi_paths import OPERATIONS
from stagedoor.kernel.errors import BadRequest, Problem, UnsupportedMediaType
from stagedoor.sources.whip.sdp import (
    LARGEST_OFFER,
    MalformedSdp,
    SessionDescription,
    UnacceptableOffer,
    parse_description,
    parse_fragment,
)
from stagedoor.sources.whip.sessions import NewSession, not_acceptable
from stagedoor.sources.whip.upstream import FRAGMENT, SDP

_KEY: Final = "the stream key decides"
_SESSION: Final = "the session's URL, which cannot be guessed, decides"
_ROOM: Final = "/whip/{app}/{room}"
_BY_KEY: Final = "/whip/{streamKey}"
_RESOURCE: Final = "/whip/{app}/{room}/{session}"
_ACCEPTED: Final = {SDP: {"Accept-Post": SDP}, FRAGMENT: {"Accept-Patch": FRAGMENT}}
"""How the answer to a body of another type, and to OPTIONS, says what is taken (RFC 5789, section 3.1)."""


def routes() -> list[BaseRoute]:
    """For the application."""
    found: list[BaseRoute] = []
    for path in (_ROOM, _BY_KEY):
        for ending in ("", "/"):  # encoders add a slash, and do not follow a redirect with their offer
            shown = OPERATIONS if not ending else {}
            found += [
                HotRoute(
                    path + ending,
                    endpoint,
                    method=method,
                    public_because=_KEY,
                    operation=shown.get((method, path)),
                )
                for method, endpoint in (("POST", _create), ("OPTIONS", _options))
            ]
    found += [
        HotRoute(
            _RESOURCE,
            endpoint,
            method=method,
            public_because=_SESSION,
            operation=OPERATIONS.get((method, _RESOURCE)),
        )
        for method, endpoint in (("PATCH", _patch), ("DELETE", _delete), ("OPTIONS", _options))
    ]
    return found


async def _create(request: Request) -> Response:
    services = services_of(request)
    key = request.path_params.get("streamKey") or secret_in(request.headers.get("authorization"))
    app, room = request.path_params.get("app"), request.path_params.get("room")
    address = request.client.host if request.client else ""
    async with _authentication(request):
        authenticated = await services.whip.authenticate(key, app, room, address)
    offer = _description(await _body(request, SDP), parse_description)
    try:
        made = await services.whip.create(authenticated, offer)
    except UnacceptableOffer as refused:
        raise not_acceptable(refused) from None
    return Response(made.answer, 201, _created(services.public_url, made), SDP)


def _created(public_url: str, made: NewSession) -> dict[str, str]:
    headers = {
        "Location": f"{public_url}/whip/{made.app}/{made.room}/{made.session}",
        "ETag": quoted(made.etag),
        "Accept-Patch": FRAGMENT,
        "Cache-Control": "no-store",
    }
    return headers | ({"Link": ", ".join(made.links)} if made.links else {})


async def _patch(request: Request) -> Response:
    services = services_of(request)
    session = request.path_params["session"]
    key = secret_in(request.headers.get("authorization"))
    async with _authentication(request):
        await services.whip.check(session, key)
    body = await _body(request, FRAGMENT)
    condition = if_match(request.headers.getlist("if-match"))
    restarted = await services.whip.patch(session, key, condition, _description(body, parse_fragment))
    if restarted is None:
        return Response(status_code=204)
    return Response(restarted.fragment, 200, {"ETag": quoted(restarted.etag)}, FRAGMENT)


async def _delete(request: Request) -> Response:
    key = secret_in(request.headers.get("authorization"))
    await services_of(request).whip.delete(request.path_params["session"], key)
    return Response(status_code=200)


async def _options(request: Request) -> Response:
    accepted = FRAGMENT if "session" in request.path_params else SDP
    return Response(status_code=204, headers=PREFLIGHT | _ACCEPTED[accepted])


@asynccontextmanager
async def _authentication(request: Request) -> AsyncGenerator[None]:
    """What comes before the body is looked at: who has no key learns nothing of what is wrong with the body."""
    try:
        yield
    except Problem:
        await drain(request.receive)
        raise


def _description(body: bytes, parse: Callable[[bytes], SessionDescription]) -> SessionDescription:
    try:
        return parse(body)
    except MalformedSdp as malformed:
        raise BadRequest(str(malformed), code="bad_sdp") from None


async def _body(request: Request, media_type: str) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        await drain(request.receive)
        raise UnsupportedMediaType(f"Send Content-Type: {media_type}.", headers=_ACCEPTED[media_type])
    return await read_body(request.receive, LARGEST_OFFER)
