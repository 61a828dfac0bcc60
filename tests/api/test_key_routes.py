"""`/keys`: shown once, bound, ended at once."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from tests.support.api_tenant import fresh, new_app, new_key, new_organisation, problem
from tests.support.product import Api, RunningProduct, eventually


async def test_a_key_is_shown_once_and_works(managed_api: Api) -> None:
    body = {"name": "backend", "scopes": ["rooms:read", "apps:read", "apps:read"], "organisation": "default"}
    made = (await managed_api("POST", "/keys", body, expect=201))["data"]
    fields = {"id", "name", "hint", "scopes", "organisation", "app", "createdAt", "expiresAt", "lastUsedAt"}
    assert set(made) == fields | {"key"}
    assert made["key"].startswith("sk_")
    assert made["key"].endswith(made["hint"])
    assert made["scopes"] == ["apps:read", "rooms:read"]
    shown = (await managed_api("GET", f"/keys/{made['id']}", expect=200))["data"]
    assert shown == {name: made[name] for name in fields}
    await managed_api.as_key(made["key"])("GET", "/apps", expect=200)
    used = (await managed_api("GET", f"/keys/{made['id']}", expect=200))["data"]
    assert used["lastUsedAt"] is not None


async def test_the_database_and_the_log_hold_no_secret(managed_api: Api, managed_product: RunningProduct) -> None:
    secret = await new_key(managed_api, "apps:read")
    await managed_api.as_key(secret)("GET", "/apps", expect=200)
    with sqlite3.connect(f"file:{managed_product.data_dir / 'stagedoor.db'}?mode=ro", uri=True) as database:
        (dump,) = database.execute("SELECT group_concat(digest || name || hint || scopes) FROM api_keys").fetchone()
        assert secret not in dump
    database.close()
    assert secret[3:] not in managed_product.log
    for file in managed_product.data_dir.glob("stagedoor.db*"):
        assert secret.encode() not in file.read_bytes()


async def test_a_revoked_key_opens_nothing_from_the_next_request_on(managed_api: Api) -> None:
    made = (await managed_api("POST", "/keys", {"name": "x", "scopes": ["apps:read"]}, expect=201))["data"]
    key = managed_api.as_key(made["key"])
    await key("GET", "/apps", expect=200)
    await managed_api("DELETE", f"/keys/{made['id']}", expect=204)
    assert await problem(key, "GET", "/apps") == (401, "bad_key")
    assert await problem(managed_api, "GET", f"/keys/{made['id']}") == (404, "key_not_found")


async def test_a_key_ends_by_itself(managed_api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    key = managed_api.as_key(await new_key(managed_api, "apps:read", expiresAt=soon))
    await key("GET", "/apps", expect=200)

    async def over() -> bool:
        return (await key.raw("GET", "/apps"))[0] == 401

    await eventually(over)


async def test_scopes_and_expiry_of_a_key_change_at_once(managed_api: Api) -> None:
    made = (await managed_api("POST", "/keys", {"name": "x", "scopes": ["apps:read"]}, expect=201))["data"]
    key = managed_api.as_key(made["key"])
    await key("GET", "/apps", expect=200)
    changed = (await managed_api("PATCH", f"/keys/{made['id']}", {"scopes": ["rooms:read"]}, expect=200))["data"]
    assert (changed["name"], changed["scopes"]) == ("x", ["rooms:read"])
    assert await problem(key, "GET", "/apps") == (403, "missing_scope")
    until = (await managed_api("PATCH", f"/keys/{made['id']}", {"expiresAt": "2099-01-01T00:00:00Z"}, expect=200))[
        "data"
    ]
    assert until["expiresAt"] == "2099-01-01T00:00:00.000Z"
    never = (await managed_api("PATCH", f"/keys/{made['id']}", {"expiresAt": None, "name": "y"}, expect=200))["data"]
    assert (never["expiresAt"], never["name"]) == (None, "y")


async def test_an_expiry_is_a_moment_to_come(managed_api: Api) -> None:
    body = {"name": "x", "scopes": ["apps:read"]}
    past = body | {"expiresAt": "2001-01-01T00:00:00Z"}
    assert await problem(managed_api, "POST", "/keys", past) == (422, "already_expired")
    for wrong in ("tomorrow", "2099-01-01T00:00:00", "9999-12-31T23:59:59-10:00", "0000-01-01T00:00:00Z", 5):
        status, code = await problem(managed_api, "POST", "/keys", body | {"expiresAt": wrong})
        assert (status, code) == (422, "validation_failed"), wrong


async def test_a_scope_that_is_not_known_is_refused(managed_api: Api) -> None:
    body = {"name": "x", "scopes": ["apps:fly"]}
    assert await problem(managed_api, "POST", "/keys", body) == (422, "unknown_scope")
    assert (await managed_api.raw("POST", "/keys", {"name": "x", "scopes": []}))[0] == 422


async def test_a_key_can_be_bound_to_an_app_and_lists_only_keys_within(managed_api: Api) -> None:
    organisation = await new_organisation(managed_api)
    app = await new_app(managed_api, organisation)
    await new_key(managed_api, "apps:read", organisation=organisation)
    body = {"name": fresh("k"), "scopes": ["keys:read", "apps:read"], "app": app}
    made = (await managed_api("POST", "/keys", body, expect=201))["data"]
    assert made["app"].startswith("app_")
    assert made["organisation"].startswith("org_")
    key = managed_api.as_key(made["key"])
    assert [item["id"] for item in (await key("GET", "/keys", expect=200))["data"]] == [made["id"]]
    assert [item["slug"] for item in (await key("GET", "/apps", expect=200))["data"]] == [app]


async def test_organisation_and_app_of_a_key_belong_together(managed_api: Api) -> None:
    one, other = await new_organisation(managed_api), await new_organisation(managed_api)
    app = await new_app(managed_api, one)
    body = {"name": "x", "scopes": ["apps:read"], "app": app, "organisation": other}
    assert await problem(managed_api, "POST", "/keys", body) == (404, "organisation_not_found")


async def test_a_key_dies_with_its_app(managed_api: Api) -> None:
    app = await new_app(managed_api)
    key = managed_api.as_key(await new_key(managed_api, "apps:read", app=app))
    await key("GET", f"/apps/{app}", expect=200)
    await managed_api("DELETE", f"/apps/{app}", expect=204)
    assert await problem(key, "GET", "/apps") == (401, "bad_key")
