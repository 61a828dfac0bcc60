"""Signing in over HTTP: cookies, requests of other sites, links, sessions, and what ends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from stagedoor.app.firstrun import make_first, make_first_key, make_first_link
from stagedoor.app.http import HttpServer
from stagedoor.people import limits
from tests.api.conftest import Here
from tests.support.api_routes import application
from tests.support.api_tenant import fresh
from tests.support.browser_session import PASSWORD, BrowserSession, new_browser, use_link
from tests.support.product import Api, free_ports


@pytest.fixture
async def browser(here: Here) -> AsyncGenerator[BrowserSession]:
    async with new_browser(here.url) as made:
        yield made


async def new_user(api: Api, **fields: Any) -> tuple[str, str]:
    """E-mail and link of a new user."""
    email = f"{fresh('user')}@example.com"
    made = (await api("POST", "/users", {"email": email, **fields}, expect=201))["data"]
    return email, made["url"]


async def signed_in(here: Here, browser: BrowserSession, **fields: Any) -> str:
    """The e-mail of a new user, who is signed in with this browser."""
    email, link = await new_user(here.api, **fields)
    await use_link(browser, link)
    return email


async def sign_in(browser: BrowserSession, email: str, password: str = PASSWORD, **headers: str) -> tuple[int, Any]:
    return await browser.raw("POST", "/auth/sign-in", {"email": email, "password": password}, **headers)


async def test_the_first_link_makes_the_owner_once(here: Here, browser: BrowserSession) -> None:
    secret = await here.services.database.write(make_first_link)
    assert secret is not None
    seen = (await browser("POST", "/auth/links", {"secret": secret}))["data"]
    assert (seen["purpose"], seen["email"]) == ("first_owner", None)
    use = {"secret": secret, "password": PASSWORD, "email": "Ada@Example.com", "name": "Ada"}
    for wrong in ({"password": "short"}, {"email": "nothing"}, {"email": None}):
        await browser("POST", "/auth/links/use", use | wrong, expect=422)
    assert (await browser.raw("GET", "/me"))[0] == 401
    user = (await browser("POST", "/auth/links/use", use))["data"]["user"]
    assert (user["email"], user["name"], user["operator"]) == ("ada@example.com", "Ada", True)
    me = (await browser("GET", "/me"))["data"]
    assert [(one["slug"], one["role"]) for one in me["organisations"]] == [("default", "owner")]
    assert (me["kind"], "admin" in me["scopes"], me["organisation"]) == ("session", True, None)
    for path in ("/auth/links", "/auth/links/use"):
        body = use if path.endswith("use") else {"secret": secret}
        assert (await browser("POST", path, body, expect=404))["code"] == "link_not_found"
    assert await here.services.database.write(make_first_link) is None


async def test_a_session_calls_the_api_and_the_trail_says_so(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser, organisation="default", role="owner")
    me = (await browser("GET", "/me"))["data"]
    made = (await browser("POST", "/apps", {"slug": fresh("app")}))["data"]
    (session,) = (await browser("GET", "/me/sessions"))["data"]
    entry = (await browser("GET", "/audit?action=app.created&limit=1"))["data"][0]
    assert (entry["target"], entry["actor"], entry["credential"]) == (made["id"], me["id"], session["id"])
    (entry,) = (await browser("GET", "/audit?action=user.signed_in"))["data"]
    assert entry["detail"] == {"address": "127.0.0.1"}
    trail = str((await here.api("GET", "/audit?limit=200"))["data"])
    assert PASSWORD not in trail
    assert not set(browser.cookies().values()) & set(trail.split("'"))


async def test_the_cookie_is_for_this_host_and_no_script(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    assert (await sign_in(browser, email))[0] == 200
    assert len(browser.set_cookies) == 2
    for cookie in browser.set_cookies:
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert "Domain" not in cookie


async def test_under_https_the_cookie_is_secure_and_of_this_host(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with application(tmp_path, http=address, public_url="https://stagedoor.example.com") as (app, services):
        await services.database.write(make_first)
        await services.database.write(make_first_key)
        secret = await services.database.write(make_first_link)
        server = HttpServer(services.settings)
        await server.start(app)
        async with new_browser(f"http://{address}") as browser:
            await use_link(browser, f"#{secret}", email="ada@example.com")
            assert [cookie.partition("=")[0] for cookie in browser.set_cookies] == [
                "__Host-stagedoor_session",
                "__Host-stagedoor_browser",
            ]
            assert all({"Secure", "HttpOnly"} <= set(cookie.split("; ")) for cookie in browser.set_cookies)
            session = browser.set_cookies[0].partition(";")[0].partition("=")[2]
            planted = f"stagedoor_session={session}"  # as another host of the domain could plant it
            assert (await browser.raw("GET", "/me", Cookie=planted))[0] == 401
            assert (await browser.raw("GET", "/me", Cookie=f"__Host-{planted}"))[0] == 200
            mine = {"Sec_Fetch_Site": "", "Origin": "https://stagedoor.example.com"}
            status, body = await browser.raw("GET", "/me", Cookie=f"__Host-{planted}", **mine)
            assert (status, body["code"]) == (403, "cross_site_request")
        await server.stop()


OTHER_SITES = [
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1"},
    {"Sec_Fetch_Site": "rubbish"},
]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
async def test_requests_of_other_sites_are_refused(
    here: Here, browser: BrowserSession, headers: dict[str, str]
) -> None:
    email = await signed_in(here, browser, organisation="default", role="owner")
    for method, path, body in (
        ("POST", "/apps", {"slug": fresh("app")}),
        ("GET", "/apps", None),
        ("PATCH", "/me", {"name": "x"}),
        ("POST", "/auth/sign-out", None),
        ("POST", "/auth/password", {"currentPassword": PASSWORD, "newPassword": "another horse"}),
        ("POST", "/auth/sign-in", {"email": email, "password": PASSWORD}),
        ("POST", "/auth/links", {"secret": "lnk_x"}),
        ("POST", "/apps/live/tokens", {"room": "demo"}),
    ):
        status, answer = await browser.raw(method, path, body, **headers)
        assert (status, answer["code"]) == (403, "cross_site_request"), path
    assert (await browser("GET", "/me"))["data"]["user"]["name"] != "x"


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("own", True),
        ("null", False),
        ("http://evil.example", False),
        ("http://127.0.0.1:1", False),
        ("http://own.evil.example", False),
        ("rubbish", False),
        ("http://[", False),
    ],
)
async def test_browsers_without_fetch_metadata_are_known_by_origin(
    here: Here, browser: BrowserSession, origin: str | None, accepted: bool
) -> None:
    await signed_in(here, browser)
    headers = {} if origin is None else {"Origin": here.url if origin == "own" else origin}
    async with browser.http.patch(f"{here.url}/api/v1/me", json={"name": "x"}, headers=headers) as answer:
        assert answer.status == (200 if accepted else 403)


async def test_a_key_is_taken_from_any_site(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser)
    headers = {"Authorization": f"Bearer {here.key}", "Sec_Fetch_Site": "cross-site"}
    assert (await browser.raw("GET", "/me", **headers))[1]["data"]["kind"] == "key"


async def test_a_stolen_cookie_opens_nothing_after_sign_out(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser)
    stolen = "; ".join(f"{name}={value}" for name, value in browser.cookies().items())
    assert (await browser.raw("GET", "/me", Cookie=stolen))[0] == 200
    await browser("POST", "/auth/sign-out", expect=204)
    assert "stagedoor_session" not in browser.cookies()
    status, answer = await browser.raw("GET", "/me", Cookie=stolen)
    assert (status, answer["code"]) == (401, "session_ended")


async def test_a_sign_in_takes_the_place_of_the_session_before(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    before = browser.cookies()["stagedoor_session"]
    assert (await sign_in(browser, email))[0] == 200
    assert browser.cookies()["stagedoor_session"] != before
    async with new_browser(here.url) as other:
        assert (await other.raw("GET", "/me", Cookie=f"stagedoor_session={before}"))[0] == 401


async def test_a_new_password_ends_every_other_session(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    async with new_browser(here.url) as other:
        assert (await sign_in(other, email))[0] == 200
        change = {"currentPassword": PASSWORD, "newPassword": "another horse"}
        assert (await browser("POST", "/auth/password", change | {"currentPassword": "x"}, expect=401))["code"]
        assert (await browser("POST", "/auth/password", change | {"newPassword": "short"}, expect=422))["code"]
        assert (await other.raw("GET", "/me"))[0] == 200
        await browser("POST", "/auth/password", change)
        assert (await browser.raw("GET", "/me"))[0] == 200
        assert (await other.raw("GET", "/me"))[0] == 401
        assert (await sign_in(other, email))[0] == 401
        assert (await sign_in(other, email, "another horse"))[0] == 200


async def test_users_end_their_sessions_and_no_others(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    async with new_browser(here.url) as other, new_browser(here.url) as stranger:
        await signed_in(here, stranger)
        (hers,) = (await stranger("GET", "/me/sessions"))["data"]
        await sign_in(other, email)
        newest, first = (await browser("GET", "/me/sessions"))["data"]
        assert [newest["current"], first["current"]] == [False, True]
        await browser("DELETE", f"/me/sessions/{hers['id']}", expect=404)
        await browser("DELETE", f"/me/sessions/{newest['id']}", expect=204)
        assert [(await one.raw("GET", "/me"))[0] for one in (browser, other, stranger)] == [200, 401, 200]
        await sign_in(other, email)
        await browser("DELETE", "/me/sessions", expect=204)
        assert [(await one.raw("GET", "/me"))[0] for one in (browser, other, stranger)] == [200, 401, 200]


async def test_a_user_who_is_disabled_is_out_at_once(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    await here.api("PATCH", f"/users/{email}", {"disabled": True})
    assert (await browser.raw("GET", "/me"))[0] == 401
    status, refused = await sign_in(browser, email)
    assert (status, refused["code"]) == (401, "wrong_credentials")
    assert (await sign_in(browser, "unknown@example.com"))[1] == refused
    assert (await here.api.raw("POST", f"/users/{email}/password-link"))[0] == 409
    await here.api("PATCH", f"/users/{email}", {"disabled": False})
    assert (await sign_in(browser, email))[0] == 200


async def test_twenty_wrong_passwords_end_in_a_wait_that_keeps_the_user_in_no_other_browser(
    here: Here, browser: BrowserSession
) -> None:
    email = await signed_in(here, browser)
    async with new_browser(here.url) as stranger:
        answers = [(await sign_in(stranger, email, f"wrong {number}"))[0] for number in range(20)]
        assert answers == [401] * limits.OF_ACCOUNT_AT_ADDRESS + [429] * (20 - limits.OF_ACCOUNT_AT_ADDRESS)
        unknown = [(await sign_in(stranger, "unknown@example.com", f"wrong {number}"))[0] for number in range(20)]
        assert unknown == answers
        assert (await sign_in(stranger, email))[0] == 429
    assert (await sign_in(browser, email))[0] == 200


async def test_a_reset_sets_the_password_and_ends_sessions(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser)
    link = (await here.api("POST", f"/users/{email}/password-link", expect=201))["data"]["url"]
    assert (await browser.raw("GET", "/me"))[0] == 200
    async with new_browser(here.url) as other:
        seen = (await other("POST", "/auth/links", {"secret": link.partition("#")[2]}))["data"]
        assert (seen["purpose"], seen["email"]) == ("password", email)
        await use_link(other, link, "another horse")
        assert (await other("GET", "/me"))["data"]["user"]["email"] == email
    assert (await browser.raw("GET", "/me"))[0] == 401
    assert [(await sign_in(browser, email, one))[0] for one in (PASSWORD, "another horse")] == [401, 200]


async def test_a_user_of_two_organisations_names_one(here: Here, browser: BrowserSession) -> None:
    organisation = (await here.api("POST", "/organisations", {"name": fresh("Acme ")}, expect=201))["data"]
    email = await signed_in(here, browser, organisation="default", role="viewer")
    me = (await browser("GET", "/me"))["data"]
    assert (me["role"], me["organisation"]) == ("viewer", me["organisations"][0]["id"])
    assert "rooms:read" in me["scopes"]
    assert "rooms:write" not in me["scopes"]
    for named in (organisation["slug"], organisation["id"], "nothing"):
        answer = await browser("GET", "/me", None, expect=404, Stagedoor_Organisation=named)
        assert answer["code"] == "organisation_not_found"
    assert (await browser.raw("POST", "/apps", {"slug": fresh("app")}))[1]["code"] == "missing_scope"
    await here.api("PATCH", f"/users/{email}", {"operator": True})
    me = (await browser("GET", "/me", None, Stagedoor_Organisation=organisation["slug"]))["data"]
    assert (me["organisation"], me["role"], "admin" in me["scopes"]) == (organisation["id"], None, True)
    assert (await browser("GET", "/apps", None, Stagedoor_Organisation=organisation["slug"]))["data"] == []


async def test_a_user_of_no_organisation_sees_nothing(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser)
    me = (await browser("GET", "/me"))["data"]
    assert (me["scopes"], me["organisation"], me["organisations"]) == (["rooms:join"], None, [])
    for path in ("/apps", "/organisations", "/users", "/audit", "/apps/live/rooms"):
        assert (await browser.raw("GET", path))[1]["code"] == "missing_scope"


async def test_operators_cannot_lock_themselves_out(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser, operator=True)
    for change in ({"disabled": True}, {"operator": False}):
        assert (await browser.raw("PATCH", f"/users/{email}", change))[1]["code"] == "own_account"
    assert (await browser.raw("PATCH", f"/users/{email}", {"name": "Ada"}))[0] == 200


async def test_the_own_account_is_changed(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser)
    change = {"name": "Ada", "locale": "de-AT", "timeZone": "Europe/Vienna", "picture": "https://a.example/ada.jpg"}
    changed = (await browser("PATCH", "/me", change))["data"]
    assert change.items() <= changed.items()
    assert (await browser("PATCH", "/me", {"picture": None, "name": None}))["data"]["picture"] is None
    assert (await browser("GET", "/me"))["data"]["user"]["name"] == "Ada"
    for wrong in (
        {"timeZone": "Mars/Base"},
        {"locale": "x"},
        {"picture": "javascript:alert(1)"},
        {"picture": "http://a.example/x.jpg"},
        {"email": "other@example.com"},
        {"operator": True},
        {"name": ""},
    ):
        assert (await browser.raw("PATCH", "/me", wrong))[0] == 422, wrong


async def test_a_session_may_repeat_a_request(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser, organisation="default", role="owner")
    body = {"slug": fresh("app")}
    first = await browser("POST", "/apps", body, Idempotency_Key="one")
    assert await browser("POST", "/apps", body, Idempotency_Key="one") == first
    status, answer = await browser.raw("POST", "/apps", body, Idempotency_Key="one", Sec_Fetch_Site="cross-site")
    assert (status, answer["code"]) == (403, "cross_site_request")
