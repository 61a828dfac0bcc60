"""Personal access tokens: no wider than the user, then or later, and seen in the trail."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from stagedoor.people import store, tokens, users
from stagedoor.storage import Transaction
from tests.api.conftest import Here
from tests.support.api_tenant import fresh
from tests.support.browser_session import PASSWORD, BrowserSession, new_browser, use_link


@pytest.fixture
async def browser(here: Here) -> AsyncGenerator[BrowserSession]:
    async with new_browser(here.url) as made:
        yield made


async def signed_in(here: Here, browser: BrowserSession, **fields: Any) -> str:
    """The e-mail of a new user, who is signed in with this browser."""
    email = f"{fresh('user')}@example.com"
    made = (await here.api("POST", "/users", {"email": email, **fields}, expect=201))["data"]
    await use_link(browser, made["url"])
    return email


async def new_token(browser: BrowserSession, *scopes: str, **fields: Any) -> str:
    body = {"name": "laptop", "scopes": list(scopes), **fields}
    secret: str = (await browser("POST", "/me/tokens", body, expect=201))["data"]["token"]
    return secret


async def me(here: Here, token: str) -> tuple[int, Any]:
    status, answer, _ = await here.api.as_key(token).raw("GET", "/me")
    return status, answer["data"] if status == 200 else answer["code"]


async def test_a_token_acts_as_its_user_and_the_trail_says_by_which(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser, organisation="default", role="admin")
    token = await new_token(browser, "apps:write", "audit:read")
    status, body = await me(here, token)
    assert (status, body["kind"], body["user"]["email"], body["role"]) == (200, "token", email, "admin")
    assert body["scopes"] == ["apps:read", "apps:write", "audit:read"]
    api = here.api.as_key(token)
    made = (await api("POST", "/apps", {"slug": fresh("app")}, expect=201))["data"]
    (listed,) = (await browser("GET", "/me/tokens"))["data"]
    entry = (await api("GET", "/audit?action=app.created&limit=1"))["data"][0]
    assert (entry["target"], entry["actor"], entry["credential"]) == (made["id"], body["id"], listed["id"])
    assert listed["lastUsedAt"] is not None
    assert listed["hint"] == token[-4:]
    assert token not in str(listed)
    assert (await api.raw("GET", "/apps/live/rooms"))[1]["code"] == "missing_scope"
    key = (await api.raw("POST", "/keys", {"name": "x", "scopes": ["apps:read"]}))[1]
    assert key["code"] == "missing_scope"


async def test_a_token_is_no_wider_than_the_user(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser, organisation="default", role="member")
    for scope in ("admin", "keys:write", "apps:write"):
        body = {"name": "x", "scopes": ["rooms:read", scope]}
        assert (await browser("POST", "/me/tokens", body, expect=403))["code"] == "beyond_own_scopes"
    mistakes: list[dict[str, Any]] = [{"scopes": []}, {"scopes": ["nothing"]}, {"expiresAt": "2020-01-01T00:00:00Z"}]
    for wrong in mistakes:
        assert (await browser.raw("POST", "/me/tokens", {"name": "x", "scopes": ["rooms:read"]} | wrong))[0] == 422
    token = await new_token(browser, "rooms:write")
    assert (await me(here, token))[1]["scopes"] == ["rooms:read", "rooms:write"]

    def lower(tx: Transaction) -> None:
        user = users.get(tx, email)
        (membership,) = store.memberships_of(tx, user.id)
        store.set_role(tx, user.id, membership.organisation_id, "viewer")

    await here.services.database.write(lower)
    assert (await me(here, token))[1]["scopes"] == ["rooms:read"]


async def test_what_ends_a_token(here: Here, browser: BrowserSession) -> None:
    email = await signed_in(here, browser, organisation="default", role="member")
    first, second = await new_token(browser, "rooms:read"), await new_token(browser, "rooms:read")
    newest = (await browser("GET", "/me/tokens"))["data"][0]
    async with new_browser(here.url) as stranger:
        await signed_in(here, stranger)
        await stranger("DELETE", f"/me/tokens/{newest['id']}", expect=404)
        assert (await stranger("GET", "/me/tokens"))["data"] == []
    await browser("DELETE", f"/me/tokens/{newest['id']}", expect=204)
    assert [(await me(here, token))[0] for token in (first, second)] == [200, 401]
    change = {"currentPassword": PASSWORD, "newPassword": "another horse"}
    await browser("POST", "/auth/password", change)
    assert (await me(here, first))[0] == 200
    await here.api("PATCH", f"/users/{email}", {"disabled": True})
    assert await me(here, first) == (401, "bad_token")
    await here.api("PATCH", f"/users/{email}", {"disabled": False})
    assert (await me(here, first))[0] == 200
    link = (await here.api("POST", f"/users/{email}/password-link", expect=201))["data"]["url"]
    await use_link(browser, link)
    assert await me(here, first) == (401, "bad_token")
    for garbage in ("pat_", "pat_garbage"):
        assert await me(here, garbage) == (401, "bad_token")


async def test_an_operators_token_sees_the_installation_while_the_user_operates_it(
    here: Here, browser: BrowserSession
) -> None:
    email = await signed_in(here, browser, operator=True)
    token = await new_token(browser, "users:read")
    api = here.api.as_key(token)
    assert email in str(await api("GET", "/users"))
    assert (await api.raw("POST", "/users", {"email": "x@example.com"}))[1]["code"] == "missing_scope"
    await here.api("PATCH", f"/users/{email}", {"operator": False})
    assert await me(here, token) == (401, "bad_token")


async def test_a_token_makes_no_token_and_changes_no_account(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser, organisation="default", role="owner")
    api = here.api.as_key(await new_token(browser, "admin"))
    for method, path, body in (
        ("POST", "/me/tokens", {"name": "x", "scopes": ["admin"]}),
        ("PATCH", "/me", {"name": "x"}),
        ("GET", "/me/sessions", None),
        ("POST", "/auth/password", {"currentPassword": PASSWORD, "newPassword": "another horse"}),
    ):
        status, answer, _ = await api.raw(method, path, body)
        assert (status, answer["code"]) == (403, "session_required")


async def test_a_key_that_a_token_makes_ends_with_the_token(here: Here, browser: BrowserSession) -> None:
    await signed_in(here, browser, organisation="default", role="owner")
    until = "2036-01-31T12:00:00.000Z"
    api = here.api.as_key(await new_token(browser, "keys:write", expiresAt=until))
    key = (await api("POST", "/keys", {"name": "x", "scopes": ["keys:read"]}, expect=201))["data"]
    assert key["expiresAt"] == until


async def test_a_user_has_so_many_tokens(here: Here, browser: BrowserSession, monkeypatch: pytest.MonkeyPatch) -> None:
    await signed_in(here, browser, organisation="default", role="viewer")
    monkeypatch.setattr(tokens, "MOST_TOKENS", 1)
    await new_token(browser, "rooms:read")
    body = {"name": "x", "scopes": ["rooms:read"]}
    assert (await browser("POST", "/me/tokens", body, expect=429))["code"] == "too_many_tokens"
