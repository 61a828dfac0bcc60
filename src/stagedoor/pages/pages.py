"""The routes of the pages of rooms, of joining from them, of the pages of accounts, and of their files."""

from __future__ import annotations

import contextlib
import re
from mimetypes import guess_type
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from stagedoor.access.admission import Admission, page_request
from stagedoor.access.grants import time_to_live
from stagedoor.access.links import Use
from stagedoor.api.addresses import is_public
from stagedoor.api.authentication import secret_in
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.viewer_admission import admit
from stagedoor.kernel.encodings import accepts
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.kernel.texts import unreadable
from stagedoor.pages import files
from stagedoor.pages.kinds import PageKind
from stagedoor.pages.policy import content_security_policy
from stagedoor.services.services import Services
from stagedoor.tenancy.keys import KEY_PREFIX
from stagedoor.tenancy.room_names import short_name

_USES: Final[dict[PageKind, Use]] = {"play": "play", "embed": "play", "meet": "meet", "publish": "publish"}
_LONGEST_NAME: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LINK: Final = "the link's token, an API key with rooms:read (to watch) or the app's playback policy decides"

_VIEWS: Final = ("sign-in", "welcome", "invitation", "account", "rooms", "members")
_ACCOUNT: Final = "the page is the same for every visitor; what it shows it asks the API for"


class JoinBody(msgspec.Struct, rename="camel"):
    """What a page sends when it joins."""

    name: str | None = None
    visitor: str | None = None


class Pages:
    """Serves the pages.

    Args:
        services: Admit to pages and issue the tokens that pages join with.
        openapi_path: Where the API document is.
    """

    def __init__(self, services: Services, openapi_path: str) -> None:
        self._services = services
        self._issuer = services.issuer
        self._openapi_path = openapi_path

    def routes(self, docs_path: str) -> list[BaseRoute]:
        """The routes, for the application."""
        routes: list[BaseRoute] = []
        for kind in _USES:
            path = f"/{kind}/{{app}}/{{room}}"
            routes.append(HotRoute(path, self._page_of(kind), method="GET", public_because=_LINK))
            routes.append(HotRoute(f"{path}/join", self._join_of(kind), method="POST", public_because=_LINK))
        routes += [
            HotRoute(f"/{view}", self._account_of(view), method="GET", public_because=_ACCOUNT) for view in _VIEWS
        ]
        routes.append(HotRoute(docs_path, self._docs, method="GET", public_because="the contract is no secret"))
        routes.append(HotRoute("/", _home(docs_path), method="GET", public_because="leads to the API document"))
        routes.append(_AssetsMount("/assets", _Assets(directory=files.static_folder() / "assets")))
        return routes

    def _page_of(self, kind: PageKind) -> Any:
        async def page(request: Request) -> Response:
            try:
                admission = await self._admit(request, kind)
            except NotFound:
                return self._render("unavailable", {}, None, 404)
            return self._render(kind, _config(kind, admission, self._token_for(request, kind, admission)), admission)

        return page

    def _join_of(self, kind: PageKind) -> Any:
        async def join(request: Request) -> Response:
            body = _join_body(await request.body())
            admission = await self._admit(request, kind)
            data = {"wsUrl": self._issuer.endpoint.client_url, "room": admission.livekit_room}
            if admission.join_token is not None:
                data |= {"token": admission.join_token, "identity": admission.identity or ""}
                return _json(data | {"canPublish": admission.can_publish})
            request_to_join = page_request(admission, body.name, body.visitor)
            issued = await self._issuer.issue(admission.app, request_to_join, "page", ends_by=admission.ends_by)
            grant = issued.grant
            return _json(data | {"token": issued.jwt, "identity": grant.identity, "canPublish": grant.can_publish})

        return join

    def _account_of(self, view: str) -> Any:
        async def account(_: Request) -> Response:
            return self._render("account", {"view": view}, None)

        return account

    async def _admit(self, request: Request, kind: PageKind) -> Admission:
        slug, room = request.path_params["app"], request.path_params["room"]
        # Proxies that sign people in send a bearer of their own.
        key = (secret_in(request.headers.get("authorization")) or "").startswith(KEY_PREFIX)
        return await admit(request, self._services, slug, room, _USES[kind], key=key)

    def _token_for(self, request: Request, kind: PageKind, admission: Admission) -> str | None:
        """The token with which the page itself joins and fetches frames.

        A caller that was admitted by an API key gets a new one: a page cannot send the key, and must not have it.
        """
        token = request.query_params.get("token")
        if token or is_public(admission.app):
            return token
        ttl = time_to_live(admission.app, None, ends_by=admission.ends_by)
        return self._services.signer.sign(_USES[kind], admission.livekit_room, ttl)

    async def _docs(self, _: Request) -> Response:
        return self._render("docs", {"openapiUrl": self._openapi_path}, None)

    def _render(
        self, kind: PageKind, config: dict[str, Any], admission: Admission | None, status: int = 200
    ) -> Response:
        settings = admission.app.settings if admission else None
        policy = content_security_policy(kind, settings, self._issuer.endpoint.client_url)
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        }
        return Response(files.page(kind, config), status, headers, "text/html")


class _AssetsMount(Mount):
    public_because: Final = "the pages' scripts and styles are the same for every visitor"


class _Assets(StaticFiles):
    """Files whose names change with their content, so they may be cached indefinitely; each in the smallest form that
    the browser accepts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        response = None
        for coding, ending in (("br", ".br"), ("gzip", ".gz")):
            if accepts(accepted, coding):
                with contextlib.suppress(HTTPException):
                    response = await super().get_response(path + ending, scope)
                    response.headers["Content-Encoding"] = coding
                    response.headers["Content-Type"] = guess_type(path)[0] or "application/octet-stream"
                    break
        response = response or await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        return response


def _home(docs_path: str) -> Any:
    async def home(_: Request) -> Response:
        return RedirectResponse(docs_path)

    return home


def _config(kind: PageKind, admission: Admission, token: str | None) -> dict[str, Any]:
    room, app = admission.livekit_room, admission.app.slug
    signed = {"token": token} if token else {}
    live = f"/live/{app}/{quote(room, safe='')}"
    short = short_name(room)
    return {
        "app": app,
        "room": short,
        "livekitRoom": room,
        "title": short,
        "joinUrl": _with(f"/{kind}/{app}/{quote(room, safe='')}/join", signed),
        "liveUrl": _with(live, signed),
        "framesUrl": _with("/live/ws", {"app": app, "room": room} | signed),
        "mjpegUrl": _with(f"{live}/mjpeg", signed),
    }


def _with(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _join_body(body: bytes) -> JoinBody:
    if not body:
        return JoinBody()
    try:
        asked = msgspec.json.decode(body, type=JoinBody)
    except msgspec.ValidationError:
        raise Invalid("name and visitor are texts.", code="validation_failed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable(body) from None
    name = (asked.name or "").strip()
    if _CONTROL.search(name):
        raise Invalid("A name has no control characters.", code="bad_name")
    if len(name) > _LONGEST_NAME:
        raise Invalid(f"A name has {_LONGEST_NAME} characters at the most.", code="name_too_long")
    if "\x00" in name or len(asked.visitor or "") > _LONGEST_NAME:
        raise Invalid("The name or the visitor is not of the form that pages send.", code="validation_failed")
    return JoinBody(name or None, asked.visitor)


def _json(data: dict[str, Any]) -> Response:
    return Response(
        msgspec.json.encode({"data": data}),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
