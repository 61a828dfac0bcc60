"""The routes of the pages: `/play`, `/embed` and `/meet`, what they join with, the API document, and their files."""

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

from stagedoor.access.admission import Admission, AdmissionControl, page_request, refusal
from stagedoor.access.issue import TokenIssuer
from stagedoor.access.links import Use
from stagedoor.api.raw_routes import HotRoute
from stagedoor.kernel.encodings import accepts
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.kernel.texts import unreadable
from stagedoor.pages import files
from stagedoor.pages.kinds import PageKind
from stagedoor.pages.policy import content_security_policy
from stagedoor.storage import Database
from stagedoor.tenancy.room_names import short_name
from stagedoor.tenancy.store import app_by_slug

_USES: Final[dict[PageKind, Use]] = {"play": "play", "embed": "play", "meet": "meet"}
_LONGEST_NAME: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LINK: Final = "the link's token or the app's playback policy decides"


class JoinBody(msgspec.Struct, rename="camel"):
    """What a page sends when it joins."""

    name: str | None = None
    visitor: str | None = None


class Pages:
    """Serves the pages.

    Args:
        database: To find apps in.
        issuer: Issues the tokens that pages join with.
        admission_control: Admits to pages.
        openapi_path: Where the API document is.
    """

    def __init__(
        self,
        database: Database,
        issuer: TokenIssuer,
        admission_control: AdmissionControl,
        openapi_path: str,
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._admission_control = admission_control
        self._openapi_path = openapi_path

    def routes(self, docs_path: str) -> list[BaseRoute]:
        """The routes, for the application."""
        routes: list[BaseRoute] = []
        for kind in _USES:
            path = f"/{kind}/{{app}}/{{room}}"
            routes.append(HotRoute(path, self._page_of(kind), method="GET", public_because=_LINK))
            routes.append(HotRoute(f"{path}/join", self._join_of(kind), method="POST", public_because=_LINK))
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
            return self._render(kind, _config(kind, admission, request.query_params.get("token")), admission)

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
            issued = await self._issuer.issue(admission.app, request_to_join, "page")
            grant = issued.grant
            return _json(data | {"token": issued.jwt, "identity": grant.identity, "canPublish": grant.can_publish})

        return join

    async def _admit(self, request: Request, kind: PageKind) -> Admission:
        slug, room = request.path_params["app"], request.path_params["room"]
        app = None
        if "\x00" not in slug:
            app = await self._database.read(lambda tx: app_by_slug(tx, slug))
        admission = self._admission_control.admit(app, room, _USES[kind], request.query_params.get("token"))
        if admission.identity is not None and await self._issuer.is_banned(admission.livekit_room, admission.identity):
            raise refusal()
        return admission

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
