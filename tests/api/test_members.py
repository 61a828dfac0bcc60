"""Members and invitations: accepted once, by whom they are for, with no role above the one that gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.people import limits, members
from tests.api.conftest import Here
from tests.support.api_tenant import fresh, new_key
from tests.support.browser_session import PASSWORD, BrowserSession, new_browser, secret_of, use_link
from tests.support.product import Api

DEFAULT = "/organisations/default"
User = Callable[..., Awaitable[BrowserSession]]


@pytest.fixture
async def user(here: Here) -> AsyncGenerator[User]:
    """Makes users who are signed in: of the first organisation with a role, or of none."""
    async with AsyncExitStack() as stack:

        async def make(role: str | None = None, **fields: Any) -> BrowserSession:
            browser = await stack.enter_async_context(new_browser(here.url))
            body = {"email": f"{fresh('user')}@example.com", **fields}
            body |= {} if role is None else {"organisation": "default", "role": role}
            made = (await here.api("POST", "/users", body, expect=201))["data"]
            await use_link(browser, made["url"])
            return browser

        yield make


@pytest.fixture
async def browser(here: Here) -> AsyncGenerator[BrowserSession]:
    async with new_browser(here.url) as made:
        yield made


async def id_of(browser: BrowserSession) -> str:
    found: str = (await browser("GET", "/me"))["data"]["id"]
    return found


async def role_of(browser: BrowserSession) -> str | None:
    organisations = (await browser("GET", "/me"))["data"]["organisations"]
    return next((one["role"] for one in organisations if one["slug"] == "default"), None)


async def invited(by: BrowserSession | Api, **fields: Any) -> str:
    """The secret of a new invitation."""
    made = await by("POST", f"{DEFAULT}/invitations", fields, expect=201)
    return secret_of(made["data"]["url"])


async def accept(browser: BrowserSession, secret: str) -> tuple[int, str | None]:
    status, answer = await browser.raw("POST", "/auth/invitations/accept", {"secret": secret})
    return status, answer.get("code")


def account(secret: str, **fields: str) -> dict[str, str]:
    return {"secret": secret, "email": f"{fresh('new')}@example.com", "password": PASSWORD} | fields


async def test_a_new_user_joins_by_an_invitation_once(here: Here, user: User, browser: BrowserSession) -> None:
    admin = await user("admin")
    made = (await admin("POST", f"{DEFAULT}/invitations", {"role": "viewer"}, expect=201))["data"]
    secret = secret_of(made["url"])
    assert made["url"].startswith(f"{here.url}/invitation#inv_")
    (listed,) = (await admin("GET", f"{DEFAULT}/invitations"))["data"]
    assert secret not in str(listed)
    seen = (await browser("POST", "/auth/invitations", {"secret": secret}))["data"]
    assert (seen["organisation"], seen["role"], seen["email"]) == ("Default", "viewer", None)
    body = account(secret, name="Bob")
    await browser("POST", "/auth/invitations/sign-up", body | {"password": "short"}, expect=422)
    joined = (await browser("POST", "/auth/invitations/sign-up", body, expect=201))["data"]["user"]
    assert (joined["name"], joined["operator"]) == ("Bob", False)
    assert await role_of(browser) == "viewer"
    for path, again in (
        ("/auth/invitations", {"secret": secret}),
        ("/auth/invitations/sign-up", account(secret)),
        ("/auth/invitations/accept", {"secret": secret}),
    ):
        assert (await browser("POST", path, again, expect=404))["code"] == "link_not_found"
    assert (await admin("GET", f"{DEFAULT}/invitations"))["data"] == []
    entry = (await admin("GET", "/audit?action=invitation.accepted"))["data"][0]
    assert (entry["actor"], entry["detail"]["invitedBy"]) == (joined["id"], await id_of(admin))


async def test_a_user_with_an_account_accepts_and_a_member_does_not(user: User) -> None:
    admin, bob, carol = await user("admin"), await user(), await user()
    secret = await invited(admin)
    assert await accept(admin, secret) == (409, "member_already")
    assert await accept(bob, secret) == (200, None)
    assert await role_of(bob) == "member"
    assert await accept(carol, secret) == (404, "link_not_found")
    assert await role_of(carol) is None


async def test_of_two_who_accept_at_once_one_joins(user: User) -> None:
    secret = await invited(await user("admin"))
    guests = [await user() for _ in range(3)]
    answers = await asyncio.gather(*(accept(one, secret) for one in guests))
    assert sorted(status for status, _ in answers) == [200, 404, 404]
    roles = [str(await role_of(one)) for one in guests]
    assert sorted(roles) == ["None", "None", "member"]


async def test_an_invitation_for_an_email_is_for_no_other(user: User, browser: BrowserSession) -> None:
    admin, bob, carol = await user("admin"), await user(email="Bob@example.com"), await user()
    secret = await invited(admin, email="bob@EXAMPLE.com")
    assert await accept(carol, secret) == (403, "invitation_for_another")
    refused = await browser.raw("POST", "/auth/invitations/sign-up", account(secret))
    assert (refused[0], refused[1]["code"]) == (422, "invitation_for_another")
    taken = await browser.raw("POST", "/auth/invitations/sign-up", account(secret, email="bob@example.com"))
    assert (taken[0], taken[1]["code"]) == (409, "email_taken")
    assert await accept(bob, secret) == (200, None)


async def test_an_invitation_ends(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, bob = await user("admin"), await user()
    secret = await invited(admin)
    (listed,) = (await admin("GET", f"{DEFAULT}/invitations"))["data"]
    await admin("DELETE", f"{DEFAULT}/invitations/{listed['id']}", expect=204)
    await admin("DELETE", f"{DEFAULT}/invitations/{listed['id']}", expect=404)
    assert await accept(bob, secret) == (404, "link_not_found")
    secret = await invited(admin, expiresIn="1m")
    later = now_ms() + 60_000
    monkeypatch.setattr(members, "now_ms", lambda: later)
    assert await accept(bob, secret) == (404, "link_not_found")
    for wrong in ("59s", "31d", "soon", ""):
        body = {"expiresIn": wrong}
        assert (await admin.raw("POST", f"{DEFAULT}/invitations", body))[0] == 422


async def test_who_asks_for_emails_with_an_invitation_is_slowed_down(here: Here, user: User) -> None:
    secret = await invited(await user("admin"))
    await user(email="known@example.com")
    async with new_browser(here.url) as stranger:
        body = account(secret, email="known@example.com")
        answers = [
            (await stranger.raw("POST", "/auth/invitations/sign-up", body))[0]
            for _ in range(limits.OF_ACCOUNT_AT_ADDRESS + 1)
        ]
    assert answers == [409] * limits.OF_ACCOUNT_AT_ADDRESS + [429]


async def test_no_caller_gives_a_role_that_may_do_more(here: Here, user: User) -> None:
    owner, admin, member = await user("owner"), await user("admin"), await user("member")
    boss, bob = await id_of(owner), await id_of(member)
    token = (await owner("POST", "/me/tokens", {"name": "x", "scopes": ["members:write"]}, expect=201))["data"]["token"]
    key = (await admin("POST", "/keys", {"name": "x", "scopes": ["members:write"]}, expect=201))["data"]["key"]
    for caller in (admin, here.api.as_key(key), here.api.as_key(token)):
        for method, path, body in (
            ("POST", f"{DEFAULT}/invitations", {"role": "owner"}),
            ("PATCH", f"{DEFAULT}/members/{bob}", {"role": "owner"}),
            ("PATCH", f"{DEFAULT}/members/{boss}", {"role": "viewer"}),
            ("DELETE", f"{DEFAULT}/members/{boss}", None),
        ):
            status, answer, *_ = await caller.raw(method, path, body)
            assert (status, answer["code"]) == (403, "beyond_own_role"), (method, path)
    secret = await invited(owner, role="owner")
    (waiting,) = (await owner("GET", f"{DEFAULT}/invitations"))["data"]
    assert (await admin("DELETE", f"{DEFAULT}/invitations/{waiting['id']}", expect=403))["code"] == "beyond_own_role"
    assert (await member("POST", f"{DEFAULT}/invitations", {}, expect=403))["code"] == "missing_scope"
    await admin("PATCH", f"{DEFAULT}/members/{bob}", {"role": "admin"})
    assert await role_of(member) == "admin"
    assert "keys:write" in (await member("GET", "/me"))["data"]["scopes"]
    assert await accept(await user(), secret) == (200, None)


async def test_a_key_for_users_makes_no_user_that_may_do_more(here: Here, user: User) -> None:
    owner, operator = await user("owner"), await user(operator=True)
    weak = here.api.as_key(await new_key(here.api, "users:write", "organisations:read"))
    for method, path, body in (
        ("POST", "/users", {"email": "x@example.com", "operator": True}),
        ("POST", "/users", {"email": "x@example.com", "organisation": "default", "role": "viewer"}),
        ("POST", f"/users/{await id_of(owner)}/password-link", None),
        ("POST", f"/users/{await id_of(operator)}/password-link", None),
        ("PATCH", f"/users/{await id_of(operator)}", {"disabled": True}),
        ("PATCH", f"/users/{await id_of(await user())}", {"operator": True}),
    ):
        status, answer, _ = await weak.raw(method, path, body)
        assert (status, answer["code"]) == (403, "beyond_own_scopes"), (method, path)
    await weak("POST", "/users", {"email": "y@example.com"}, expect=201)


async def test_an_organisation_keeps_an_owner(here: Here, user: User) -> None:
    owner, bob = await user("owner"), await user("member")
    boss, other = await id_of(owner), await id_of(bob)
    for method, path, body in (
        ("POST", f"{DEFAULT}/leave", None),
        ("PATCH", f"{DEFAULT}/members/{boss}", {"role": "admin"}),
        ("DELETE", f"{DEFAULT}/members/{boss}", None),
    ):
        assert (await owner(method, path, body, expect=409))["code"] == "last_owner"
    await owner("PATCH", f"{DEFAULT}/members/{other}", {"role": "owner"})
    await here.api("PATCH", f"/users/{other}", {"disabled": True})
    assert (await owner("POST", f"{DEFAULT}/leave", expect=409))["code"] == "last_owner"
    await here.api("PATCH", f"/users/{other}", {"disabled": False})
    await owner("POST", f"{DEFAULT}/leave", expect=204)
    assert await role_of(owner) is None
    assert [one["role"] for one in (await here.api("GET", f"{DEFAULT}/members"))["data"]] == ["owner"]


async def test_two_owners_who_leave_at_once_leave_one(here: Here, user: User) -> None:
    first, second = await user("owner"), await user("owner")
    answers = await asyncio.gather(*(one.raw("POST", f"{DEFAULT}/leave") for one in (first, second)))
    assert sorted(status for status, _ in answers) == [204, 409]
    assert [one["role"] for one in (await here.api("GET", f"{DEFAULT}/members"))["data"]] == ["owner"]


async def test_who_is_removed_is_out_at_once(here: Here, user: User) -> None:
    await user("owner")
    admin, bob = await user("admin"), await user("member")
    token = (await bob("POST", "/me/tokens", {"name": "x", "scopes": ["rooms:read"]}, expect=201))["data"]["token"]
    assert (await here.api.as_key(token).raw("GET", "/apps/live/rooms"))[0] == 200
    await admin("DELETE", f"{DEFAULT}/members/{await id_of(bob)}", expect=204)
    assert (await bob.raw("GET", "/apps/live/rooms"))[1]["code"] == "missing_scope"
    assert (await here.api.as_key(token).raw("GET", "/apps/live/rooms"))[0] == 401
    assert await accept(bob, await invited(admin)) == (200, None)
    assert (await here.api.as_key(token).raw("GET", "/apps/live/rooms"))[0] == 401, "an old token must not come back"
    await bob("POST", f"{DEFAULT}/leave", expect=204)
    assert (await bob("POST", f"{DEFAULT}/leave", expect=404))["code"] == "organisation_not_found"


async def test_members_are_listed_in_pages(here: Here, user: User) -> None:
    for role in ("owner", "member", "viewer"):
        await user(role)
    first = await here.api("GET", f"{DEFAULT}/members?limit=2")
    rest = await here.api("GET", f"{DEFAULT}/members?limit=2&cursor={first['page']['next']}")
    assert [one["role"] for one in first["data"] + rest["data"]] == ["owner", "member", "viewer"]
    assert rest["page"]["next"] is None


async def test_members_and_invitations_have_bounds(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, bob = await user("admin"), await user()
    secret = await invited(admin)
    monkeypatch.setattr(members, "MOST_INVITATIONS", 1)
    assert (await admin("POST", f"{DEFAULT}/invitations", {}, expect=429))["code"] == "too_many_invitations"
    monkeypatch.setattr(members, "MOST_MEMBERS", 1)
    assert await accept(bob, secret) == (429, "too_many_members")
