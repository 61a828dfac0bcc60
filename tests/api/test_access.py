"""Who may call what: every route of the real table with every kind of caller, so that no new route can be forgotten.

The table is the application's own. A route states a scope or why it needs none; one with a scope must be in `CALLS`,
which says how to call it and what each kind of caller gets.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from stagedoor.access.roles import ROLE_SCOPES
from stagedoor.access.room_roles import DEFAULT_ROLES, ROLE_ACTIONS, RoomAction
from stagedoor.api.authentication import acts_in_room, credential_of, scope_of
from stagedoor.people.nouns import ROLES, Role
from stagedoor.tenancy.scopes import SCOPES, expand
from tests.support.api_routes import application
from tests.support.api_tenant import Tenant, fresh, new_key, new_tenant
from tests.support.browser_session import BrowserSession, new_browser, use_link
from tests.support.product import Api, RunningProduct, eventually

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Call:
    """How to call a route, and what it answers.

    Attributes:
        body: The body; `{…}` in texts is filled in.
        right: What a key with the scope, in its bounds, gets.
        other_app: What the same scope gives a key of another app of the organisation.
        other_organisation: The same for a key of another organisation.
        query: The query.
        installation: Whether only a key of the whole installation may.
        as_user: What a member gets, where that is not what a key gets.
        as_stranger: What a member of another organisation gets, likewise.
        action: What a member's role in the room needs besides the scope.
    """

    right: int
    body: Any = None
    other_app: int = 404
    other_organisation: int = 404
    query: str = ""
    installation: bool = False
    as_user: int | None = None
    as_stranger: int | None = None
    action: RoomAction | None = None


ORGANISATION = "/organisations/{organisation}"
APP_ROOM = "/apps/{app}/rooms/{room}"
HOOK = "https://hooks.example.invalid/here"
WHO = APP_ROOM + "/participants/{identity}"
CAMERAS = "/apps/{app}/ws-ingest"
INGRESSES = "/apps/{app}/ingress"
TRANSCRIPT = "/apps/{app}/sessions/{session}/transcript"
CALLS: dict[tuple[str, str], Call] = {
    ("POST", "/organisations"): Call(201, {"name": "{new}"}, 403, 403, installation=True),
    # A key of one app sees no organisation, and lists are of what one sees.
    ("GET", "/organisations"): Call(200, other_app=200, other_organisation=200),
    ("GET", "/organisations/{organisation}"): Call(200),
    ("PATCH", "/organisations/{organisation}"): Call(200, {"name": "{new}"}),
    ("DELETE", "/organisations/{organisation}"): Call(204, None, 403, 403, "?force=true", installation=True),
    ("POST", "/keys"): Call(201, {"name": "x", "scopes": ["keys:write"], "app": "{app}"}),
    ("GET", "/keys"): Call(200, other_app=200, other_organisation=200),
    ("GET", "/keys/{key}"): Call(200),
    ("PATCH", "/keys/{key}"): Call(200, {"name": "y"}),
    ("DELETE", "/keys/{key}"): Call(204),
    ("POST", "/apps"): Call(201, {"slug": "{new}", "organisation": "{organisation}"}),
    ("GET", "/apps"): Call(200, other_app=200, other_organisation=200),
    ("GET", "/apps/{app}"): Call(200),
    ("PATCH", "/apps/{app}"): Call(200, {"name": "y"}),
    ("DELETE", "/apps/{app}"): Call(204, query="?force=true"),
    ("POST", "/apps/{app}/tokens"): Call(201, {"room": "{room}"}),
    ("POST", "/apps/{app}/rooms"): Call(201, {"name": "{new}"}),
    ("GET", "/apps/{app}/rooms"): Call(200),
    ("GET", APP_ROOM): Call(200),
    ("PATCH", APP_ROOM): Call(200, {"metadata": "y"}),
    ("DELETE", APP_ROOM): Call(204, action="end"),
    # Only users join as such.
    ("GET", "/me/rooms"): Call(403, None, 403, 403, as_user=200, as_stranger=200),
    ("POST", APP_ROOM + "/join"): Call(403, {}, 403, 403, as_user=201, as_stranger=404),
    ("GET", APP_ROOM + "/access"): Call(200, action="admit"),
    ("PUT", APP_ROOM + "/access"): Call(200, {"level": "invited"}, action="admit"),
    ("GET", APP_ROOM + "/roles"): Call(200, action="admit"),
    ("PUT", APP_ROOM + "/roles/{member}"): Call(200, {"role": "speaker"}, action="promote"),
    # The user has no role of its own there: 404 by another code than a stranger's.
    ("DELETE", APP_ROOM + "/roles/{member}"): Call(404, action="promote"),
    ("POST", APP_ROOM + "/data"): Call(202, {"data": "x"}),
    ("POST", APP_ROOM + "/links"): Call(201, {"page": "meet"}),
    ("GET", APP_ROOM + "/participants"): Call(200),
    # No participant of this identity is there: 404 by another code than a stranger's.
    ("GET", WHO): Call(404),
    ("PATCH", WHO): Call(404, {"name": "y"}, action="promote"),
    ("DELETE", WHO): Call(404, action="remove"),
    ("POST", WHO + "/tracks/{sid}/mute"): Call(404, {"muted": True}, action="mute"),
    ("GET", "/apps/{app}/sessions"): Call(200),
    ("GET", "/apps/{app}/sessions/{session}"): Call(200),
    ("POST", "/apps/{app}/sessions"): Call(201, {}),
    ("POST", "/apps/{app}/sessions/{session}/end"): Call(200, action="end"),
    ("POST", TRANSCRIPT): Call(201),
    # It has no transcript yet: 404 by another code than a stranger's.
    ("GET", TRANSCRIPT): Call(404),
    ("GET", "/sessions/{session}/transcript"): Call(404),
    ("POST", TRANSCRIPT + "/stop"): Call(404),
    ("DELETE", TRANSCRIPT): Call(404),
    ("POST", CAMERAS): Call(201, {"room": "door"}),
    ("GET", CAMERAS): Call(200),
    ("GET", CAMERAS + "/{camera}"): Call(200),
    ("PATCH", CAMERAS + "/{camera}"): Call(200, {"name": "y"}),
    ("POST", CAMERAS + "/{camera}/rotate"): Call(200),
    ("DELETE", CAMERAS + "/{camera}"): Call(204),
    ("POST", INGRESSES + "/probe"): Call(200, {"url": "rtsp://10.0.0.1/door"}),
    ("POST", INGRESSES): Call(201, {"inputType": "rtmp", "room": "stage"}),
    ("GET", INGRESSES): Call(200),
    ("GET", INGRESSES + "/{ingress}"): Call(200),
    ("PATCH", INGRESSES + "/{ingress}"): Call(200, {"participantName": "y"}),
    ("POST", INGRESSES + "/{ingress}/rotate"): Call(200),
    ("DELETE", INGRESSES + "/{ingress}"): Call(204),
    ("GET", ORGANISATION + "/members"): Call(200),
    ("PATCH", ORGANISATION + "/members/{member}"): Call(403, {"role": "owner"}),
    ("DELETE", ORGANISATION + "/members/{member}"): Call(403),
    ("POST", ORGANISATION + "/invitations"): Call(403, {"role": "owner"}),
    ("GET", ORGANISATION + "/invitations"): Call(200),
    # There is no such invitation: 404 by another code than a stranger's.
    ("DELETE", ORGANISATION + "/invitations/{invitation}"): Call(404),
    ("POST", "/users"): Call(201, {"email": "{new}@example.com"}, 403, 403, installation=True),
    ("GET", "/users"): Call(200, None, 403, 403, installation=True),
    ("GET", "/users/{user}"): Call(200, None, 403, 403, installation=True),
    ("PATCH", "/users/{user}"): Call(200, {"name": "y"}, 403, 403, installation=True),
    ("POST", "/users/{user}/password-link"): Call(201, None, 403, 403, installation=True),
    ("GET", "/audit"): Call(200, other_app=200, other_organisation=200),
    ("GET", "/apps/{app}/events"): Call(200, query="?after=0"),
    ("GET", "/inbox"): Call(200, None, 403, 403, installation=True),
    ("GET", "/inbox/{event}"): Call(404, None, 403, 403, installation=True),
    ("POST", "/inbox/{event}/replay"): Call(404, None, 403, 403, installation=True),
    ("GET", "/jobs"): Call(200, None, 403, 403, installation=True),
    ("GET", "/jobs/{job}"): Call(404, None, 403, 403, installation=True),
    ("POST", "/jobs/{job}/retry"): Call(404, None, 403, 403, installation=True),
    ("POST", "/jobs/{job}/cancel"): Call(404, None, 403, 403, installation=True),
    ("GET", "/usage"): Call(200, other_app=200, other_organisation=200),
    ("POST", "/apps/{app}/webhooks"): Call(201, {"url": HOOK}),
    ("GET", "/apps/{app}/webhooks"): Call(200),
    ("POST", "/webhooks"): Call(201, {"url": HOOK, "organisation": "{organisation}"}, 403),
    ("GET", "/webhooks"): Call(200, other_app=200, other_organisation=200),
    ("GET", "/webhooks/{webhook}"): Call(200),
    ("PATCH", "/webhooks/{webhook}"): Call(200, {"description": "y"}),
    ("DELETE", "/webhooks/{webhook}"): Call(204),
    ("POST", "/webhooks/{webhook}/rotate"): Call(200),
    ("POST", "/webhooks/{webhook}/test"): Call(200),
    ("POST", "/webhooks/{webhook}/recover"): Call(202, query="?since=2026-01-01T00:00:00Z"),
    ("GET", "/webhooks/{webhook}/deliveries"): Call(200),
    # There is no such delivery: 404 by another code than a stranger's.
    ("GET", "/webhooks/{webhook}/deliveries/{delivery}"): Call(404),
    ("POST", "/webhooks/{webhook}/deliveries/{delivery}/redeliver"): Call(404),
}
FOR_USERS = {
    ("POST", "/auth/sign-out"),
    ("POST", "/auth/password"),
    ("PATCH", "/me"),
    ("GET", "/me/sessions"),
    ("DELETE", "/me/sessions"),
    ("DELETE", "/me/sessions/{session}"),
    ("GET", "/me/tokens"),
    ("POST", "/me/tokens"),
    ("DELETE", "/me/tokens/{token}"),
    ("POST", "/organisations/{organisation}/leave"),
    ("POST", "/auth/invitations/accept"),
}
"""Routes for users who are signed in, whatever their scopes, and for no key."""

FOR_ANY = {("GET", "/me")}
"""Routes for every caller with a credential."""

STRANGERS_CODES = {"app_not_found", "organisation_not_found", "key_not_found", "webhook_not_found", "session_not_found"}


def path_of(route: BaseRoute) -> str:
    return str(getattr(route, "path_format", None) or getattr(route, "path", ""))


def public_reason(route: BaseRoute) -> str | None:
    if isinstance(route, APIRoute):
        found = (route.openapi_extra or {}).get("x-access")
        return str(found).removeprefix("public: ") if found else None
    reason: str | None = getattr(route, "public_because", None)
    return reason


@pytest.fixture(scope="module")
async def routes(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[list[BaseRoute]]:
    """The real table."""
    async with application(tmp_path_factory.mktemp("routes")) as (app, _):
        yield list(app.router.routes)


async def test_every_route_states_a_scope_or_why_it_needs_none(routes: list[BaseRoute]) -> None:
    assert len(routes) > 40
    for route in routes:
        scope, reason = scope_of(route), public_reason(route)
        stated = [scope, credential_of(route), reason]
        assert stated.count(None) == 2, f"{path_of(route)} states none of them, or several"
        assert scope is None or scope in SCOPES
        assert reason is None or reason.strip()


async def test_every_route_with_a_scope_is_tried_here(routes: list[BaseRoute]) -> None:
    known: set[tuple[str, str]] = set()
    for route in routes:
        if scope_of(route) is not None:
            methods = set(getattr(route, "methods", ())) - {"HEAD"}
            known |= {(method, path_of(route).removeprefix(PREFIX)) for method in methods}
    assert known == set(CALLS)


async def test_where_a_role_in_the_room_is_enough_the_route_asks_for_an_action(routes: list[BaseRoute]) -> None:
    found: set[tuple[str, str]] = set()
    for route in filter(acts_in_room, routes):
        found |= {(method, path_of(route).removeprefix(PREFIX)) for method in getattr(route, "methods", ())}
    assert found == {call for call, told in CALLS.items() if told.action is not None and call[0] != "GET"}


async def test_routes_for_users_and_for_any_caller_are_these(routes: list[BaseRoute]) -> None:
    found: dict[str, set[tuple[str, str]]] = {"user": set(), "any": set()}
    for route in routes:
        who = credential_of(route)
        if who is not None:
            methods = set(getattr(route, "methods", ())) - {"HEAD"}
            found[who] |= {(method, path_of(route).removeprefix(PREFIX)) for method in methods}
    assert found == {"user": FOR_USERS, "any": FOR_ANY}


@pytest.mark.parametrize(("method", "path"), sorted(FOR_USERS), ids=lambda part: part)
async def test_what_users_do_themselves_no_key_does(managed_api: Api, method: str, path: str) -> None:
    target = path.format(session="sis_none", token="tok_none", organisation="default")
    for key, expected in (
        (None, (401, "no_key")),
        ("sk_garbage", (401, "bad_key")),
        (await new_key(managed_api, "admin"), (403, "session_required")),
    ):
        status, body, _ = await managed_api.as_key(key).raw(method, target, {} if method != "GET" else None)
        assert (status, body["code"]) == expected


async def test_a_caller_sees_what_its_credential_is(managed_api: Api) -> None:
    me = (await managed_api.as_key(await new_key(managed_api, "rooms:write")).raw("GET", "/me"))[1]["data"]
    assert (me["kind"], me["user"], me["scopes"]) == ("key", None, ["rooms:read", "rooms:write"])
    assert (await managed_api.as_key(None).raw("GET", "/me"))[0] == 401


async def test_under_the_prefix_only_these_are_public(routes: list[BaseRoute]) -> None:
    public = {path_of(route) for route in routes if scope_of(route) is None and credential_of(route) is None}
    assert public == {
        "/",
        "/assets/{path}",
        "/sign-in",
        "/welcome",
        "/invitation",
        "/account",
        "/rooms",
        "/members",
        "/health",
        "/ready",
        "/metrics",
        f"{PREFIX}/health",
        f"{PREFIX}/ready",
        f"{PREFIX}/metrics",
        f"{PREFIX}/openapi.json",
        f"{PREFIX}/docs",
        *(f"{PREFIX}/auth/{end}" for end in ("sign-in", "links", "links/use", "invitations", "invitations/sign-up")),
        "/webhooks/livekit",
        "/voice/livekit/webhooks",
        "/ingest/ws",
        "/ingest/frame",
        "/live/ws",
        *(f"/live/{{app}}/{{room}}{end}" for end in ("", "/mjpeg", "/frame.jpg")),
        *(f"/{page}/{{app}}/{{room}}{end}" for page in ("play", "embed", "meet", "publish") for end in ("", "/join")),
        *(f"/whip/{end}" for end in ("{app}/{room}", "{app}/{room}/", "{streamKey}", "{streamKey}/")),
        "/whip/{app}/{room}/{session}",
        *(f"/hls/{{app}}/{{room}}/{end}" for end in ("index.m3u8", "video.m3u8", "m/{secret}/{name}")),
    }


@pytest.fixture(scope="module")
async def scopes(routes: list[BaseRoute]) -> dict[tuple[str, str], str]:
    """Scope by method and path."""
    found: dict[tuple[str, str], str] = {}
    for route in routes:
        scope = scope_of(route)
        for method in getattr(route, "methods", None) or () if scope else ():
            found[method, path_of(route).removeprefix(PREFIX)] = str(scope)
    return found


def filled(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def body_of(call: Call, values: dict[str, str]) -> Any:
    if call.body is None:
        return None
    return {name: filled(value, values) if isinstance(value, str) else value for name, value in call.body.items()}


class Caller(Api):
    """The contract, with the status of an answer that never ends."""

    async def status_of_stream(self, path: str) -> tuple[int, Any]:
        address = f"{self._url}/api/v1{path}"
        async with self._session.get(address, headers=self._headers) as got:
            return got.status, await got.json(content_type=None) if got.status >= 400 else None

    def as_key(self, key: str | None) -> Caller:
        return Caller(self._session, self._url, key)


async def answer(api: Caller, method: str, path: str, call: Call, values: dict[str, str]) -> tuple[int, Any]:
    """Status and body of the call; of an endless answer the status alone."""
    if path.endswith("/events"):
        return await api.status_of_stream(filled(path, values) + call.query)
    status, body, _ = await api.raw(method, filled(path, values) + call.query, body_of(call, values))
    return status, body


@dataclass(frozen=True)
class Scene:
    """Two tenants, and the things of the first that every caller tries to get at."""

    operator: Caller
    one: Tenant
    two: Tenant
    values: dict[str, str]


@pytest.fixture
async def scene(managed_api: Api) -> Scene:
    operator = Caller(managed_api._session, managed_api._url, None)  # pyright: ignore[reportPrivateUsage]
    one, two = await new_tenant(managed_api), await new_tenant(managed_api)
    room = (await one.api("POST", f"/apps/{one.app}/rooms", {"name": "demo"}, expect=201))["data"]
    body = {"name": "victim", "scopes": ["keys:write"]}
    key = (await one.api("POST", "/keys", body | {"app": one.app}, expect=201))["data"]
    webhook = (await one.api("POST", f"/apps/{one.app}/webhooks", {"url": HOOK}, expect=201))["data"]
    camera = (await one.api("POST", f"/apps/{one.app}/ws-ingest", {"room": "door"}, expect=201))["data"]
    stage = {"inputType": "rtmp", "room": "stage"}
    ingress = (await one.api("POST", f"/apps/{one.app}/ingress", stage, expect=201))["data"]
    user = (await managed_api("POST", "/users", {"email": f"{fresh('user')}@example.com"}, expect=201))["data"]
    body = {"email": f"{fresh('owner')}@example.com", "organisation": one.organisation, "role": "owner"}
    owner = (await managed_api("POST", "/users", body, expect=201))["data"]
    values = {
        "user": user["id"],
        "member": owner["id"],
        "invitation": "inv_unknown",
        "organisation": one.organisation,
        "app": one.app,
        "room": "demo",
        "session": room["session"],
        "key": key["id"],
        "identity": "nobody",
        "sid": "TR_none",
        "event": "EV_none",
        "job": "job_unknown",
        "webhook": webhook["id"],
        "delivery": "dlv_unknown",
        "camera": camera["id"],
        "ingress": ingress["ingressId"],
        "new": fresh("new"),
    }
    return Scene(operator, one, two, values)


@pytest.fixture(scope="module")
async def expired_key(managed_product: RunningProduct) -> str:
    """A key that could do everything, and has expired."""
    async with aiohttp.ClientSession() as http:
        api = Api(http, managed_product.url, managed_product.api_key)
        soon = (datetime.now(UTC) + timedelta(milliseconds=500)).isoformat()
        secret = await new_key(api, "admin", expiresAt=soon)

        async def expired() -> bool:
            return (await api.as_key(secret).raw("GET", "/apps"))[0] == 401

        await eventually(expired)
    return secret


@pytest.mark.parametrize(("method", "path"), list(CALLS), ids=[" ".join(call) for call in CALLS])
async def test_every_caller_gets_what_is_due(
    scene: Scene, managed_api: Api, scopes: dict[tuple[str, str], str], expired_key: str, method: str, path: str
) -> None:
    call, scope, values = CALLS[method, path], scopes[method, path], scene.values
    make = managed_api

    async def tried(secret: str | None) -> tuple[int, Any]:
        status, body = await answer(scene.operator.as_key(secret), method, path, call, values)
        return status, body["code"] if status >= 400 else body

    assert await tried(None) == (401, "no_key")
    assert await tried("sk_garbage") == (401, "bad_key")
    assert await tried(expired_key) == (401, "bad_key")

    # Every scope but those with which one could.
    others = [other for other in SCOPES if scope not in expand(frozenset({other}))]
    wrong = await new_key(make, *others, organisation=scene.one.organisation)
    assert await tried(wrong) == (403, "missing_scope")

    other_app = await new_key(make, scope, app=scene.one.other_app)
    other_organisation = await new_key(make, scope, organisation=scene.two.organisation)
    for secret, status in ((other_app, call.other_app), (other_organisation, call.other_organisation)):
        got, body = await tried(secret)
        assert got == status, body
        if status == 404:
            assert body in STRANGERS_CODES
        if status == 200:
            text = str(body)
            mine = (await scene.one.api("GET", f"/apps/{scene.one.app}"))["data"]
            assert not {mine["id"], mine["slug"], values["key"]} & set(re.findall(r"\w+", text))

    revoked = (await make("POST", "/keys", {"name": "x", "scopes": [scope], "organisation": scene.one.organisation}))[
        "data"
    ]
    await make("DELETE", f"/keys/{revoked['id']}", expect=204)
    assert await tried(revoked["key"]) == (401, "bad_key")

    if call.installation:
        bound = await new_key(make, scope, organisation=scene.one.organisation)
        assert await tried(bound) == (403, "installation_key_required")
    bounds = {} if call.installation else {"organisation": scene.one.organisation}
    got, body = await tried(await new_key(make, scope, **bounds))
    assert got == call.right, body
    assert str(body) not in STRANGERS_CODES


@dataclass(frozen=True)
class Members:
    """Users of a tenant, by role, and one who owns another tenant alone."""

    by_role: dict[Role, BrowserSession]
    stranger: BrowserSession


@pytest.fixture
async def members(scene: Scene, managed_product: RunningProduct, managed_api: Api) -> AsyncGenerator[Members]:
    async with AsyncExitStack() as stack:

        async def member(organisation: str, role: Role) -> BrowserSession:
            browser = await stack.enter_async_context(new_browser(managed_product.url))
            user = {"email": f"{fresh('user')}@example.com", "organisation": organisation, "role": role}
            await use_link(browser, (await managed_api("POST", "/users", user, expect=201))["data"]["url"])
            return browser

        by_role: dict[Role, BrowserSession] = {role: await member(scene.one.organisation, role) for role in ROLES}
        yield Members(by_role, await member(scene.two.organisation, "owner"))


@pytest.mark.parametrize(("method", "path"), list(CALLS), ids=[" ".join(call) for call in CALLS])
async def test_every_role_may_what_the_table_of_roles_says(
    scene: Scene, members: Members, scopes: dict[tuple[str, str], str], method: str, path: str
) -> None:
    """From the role that may least on. The first with the scope makes the call, so that what it deletes is there."""
    call, scope, values = CALLS[method, path], scopes[method, path], scene.values

    async def tried(browser: BrowserSession, **headers: str) -> tuple[int, Any]:
        if path.endswith("/events"):
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies().items())
            stream = Caller(browser.http, browser.url, None)
            stream._headers = {"Cookie": cookies} | headers  # pyright: ignore[reportPrivateUsage]
            status, body = await stream.status_of_stream(filled(path, values) + call.query)
        else:
            status, body = await browser.raw(
                method, filled(path, values) + call.query, body_of(call, values), **headers
            )
        return status, body["code"] if status >= 400 else body

    status, body = await tried(members.stranger)
    assert status == (call.as_stranger or call.other_organisation), body
    if status == 404:
        assert body in STRANGERS_CODES
    for role in reversed(ROLES):
        browser = members.by_role[role]
        if scope not in ROLE_SCOPES[role]:
            by_role = call.action is not None and method != "GET"
            assert await tried(browser) == (403, "missing_room_action" if by_role else "missing_scope")
            if by_role:
                token = await personal_token(browser, *ROLE_SCOPES[role])
                assert await tried(browser, Authorization=f"Bearer {token}") == (403, "missing_scope")
            continue
        lesser = await personal_token(browser, *(other for other in ROLE_SCOPES["viewer"] if other != scope))
        if scope not in expand(ROLE_SCOPES["viewer"] - {scope}):
            assert await tried(browser, Authorization=f"Bearer {lesser}") == (403, "missing_scope")
        if call.installation:
            assert await tried(browser) == (403, "installation_key_required")
            continue
        if call.action is not None and call.action not in ROLE_ACTIONS[DEFAULT_ROLES[role]]:
            assert await tried(browser) == (403, "missing_room_action")
            continue
        got, body = await tried(browser)
        assert got == (call.as_user or call.right), body
        assert str(body) not in STRANGERS_CODES
        break


async def personal_token(browser: BrowserSession, *scopes: str) -> str:
    """A token of the user."""
    body = {"name": "x", "scopes": sorted(scopes)}
    secret: str = (await browser("POST", "/me/tokens", body, expect=201))["data"]["token"]
    return secret


REFERENCES = ("organisation", "app", "session", "key")


@pytest.mark.parametrize(("method", "path"), list(CALLS), ids=[" ".join(call) for call in CALLS])
async def test_what_is_anothers_answers_exactly_as_what_is_not(scene: Scene, method: str, path: str) -> None:
    """An admin key of another tenant gets the same answer for an id that exists and one that does not."""
    call = CALLS[method, path]
    stranger = Caller(scene.two.api._session, scene.two.api._url, None)  # pyright: ignore[reportPrivateUsage]
    stranger._headers = scene.two.api._headers  # pyright: ignore[reportPrivateUsage]
    ids = scene.values | {
        "organisation": (await scene.one.api("GET", "/organisations"))["data"][0]["id"],
        "app": (await scene.one.api("GET", f"/apps/{scene.one.app}"))["data"]["id"],
    }
    nothing = scene.values | {name: f"{name[:3]}_01JDA8R3S2Y6Q0V9X4T7W5Z1BC" for name in REFERENCES}
    unnamed = scene.values | {name: fresh("none") for name in REFERENCES}
    if path == "/apps/{app}/sessions/{session}":
        # Its own app, and the other's session.
        own = {"app": scene.two.app}
        assert await answer(stranger, method, path, call, ids | own) == await answer(
            stranger, method, path, call, nothing | own
        )
    if not {name for name in REFERENCES if f"{{{name}}}" in path + str(call.body)}:
        return  # it refers to nothing that could be another's
    unknown = await answer(stranger, method, path, call, nothing)
    for values in (scene.values, ids, unnamed):
        assert await answer(stranger, method, path, call, values) == unknown
