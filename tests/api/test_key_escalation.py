"""No key gives, takes or changes more than it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api_tenant import Tenant, new_key, problem

BEYOND_SCOPES = (403, "beyond_own_scopes")
BEYOND_EXPIRY = (403, "beyond_own_expiry")


async def weak(tenant: Tenant, *more: str, **bounds: Any) -> Any:
    return tenant.api.as_key(await new_key(tenant.api, "keys:write", *more, **bounds))


@pytest.mark.parametrize("scope", ["admin", "tokens:write", "rooms:read", "organisations:write"])
async def test_a_key_gives_only_scopes_that_it_has(tenant: Tenant, scope: str) -> None:
    caller = await weak(tenant, "apps:read")
    body = {"name": "x", "scopes": ["apps:read", scope]}
    assert await problem(caller, "POST", "/keys", body) == BEYOND_SCOPES
    made = (await caller("POST", "/keys", {"name": "x", "scopes": ["apps:read", "keys:read"]}, expect=201))["data"]
    assert await problem(caller, "PATCH", f"/keys/{made['id']}", {"scopes": [scope]}) == BEYOND_SCOPES


async def test_a_key_does_not_widen_itself(tenant: Tenant) -> None:
    made = (await tenant.api("POST", "/keys", {"name": "x", "scopes": ["keys:write"]}, expect=201))["data"]
    caller = tenant.api.as_key(made["key"])
    assert await problem(caller, "PATCH", f"/keys/{made['id']}", {"scopes": ["keys:write", "admin"]}) == BEYOND_SCOPES


@pytest.mark.parametrize("change", [{"name": "mine"}, {"scopes": ["keys:read"]}, {"expiresAt": "2099-01-01T00:00:00Z"}])
async def test_a_stronger_key_is_not_changed(tenant: Tenant, change: dict[str, Any]) -> None:
    strong = (await tenant.api("POST", "/keys", {"name": "x", "scopes": ["admin"]}, expect=201))["data"]
    caller = await weak(tenant)
    assert await problem(caller, "PATCH", f"/keys/{strong['id']}", change) == BEYOND_SCOPES


async def test_a_stronger_key_is_not_revoked(tenant: Tenant) -> None:
    strong = (await tenant.api("POST", "/keys", {"name": "x", "scopes": ["admin"]}, expect=201))["data"]
    caller = await weak(tenant)
    assert await problem(caller, "DELETE", f"/keys/{strong['id']}") == BEYOND_SCOPES
    await tenant.api.as_key(strong["key"])("GET", "/apps", expect=200)


async def test_a_key_without_bounds_made_by_a_bound_one_has_the_same_bounds(tenant: Tenant) -> None:
    made = (await tenant.api("POST", "/keys", {"name": "x", "scopes": ["admin"]}, expect=201))["data"]
    own = (await tenant.api("GET", f"/organisations/{tenant.organisation}", expect=200))["data"]
    assert (made["organisation"], made["app"]) == (own["id"], None)
    caller = await weak(tenant, app=tenant.app)
    narrow = (await caller("POST", "/keys", {"name": "x", "scopes": ["keys:read"]}, expect=201))["data"]
    bound = (await tenant.api("GET", f"/apps/{tenant.app}", expect=200))["data"]
    assert (narrow["organisation"], narrow["app"]) == (own["id"], bound["id"])


async def test_a_bound_key_makes_none_beyond_its_bounds(tenant: Tenant) -> None:
    caller = await weak(tenant, app=tenant.app)
    to_other_app = {"name": "x", "scopes": ["keys:read"], "app": tenant.other_app}
    assert await problem(caller, "POST", "/keys", to_other_app) == (404, "app_not_found")
    to_organisation = {"name": "x", "scopes": ["keys:read"], "organisation": tenant.organisation}
    assert await problem(caller, "POST", "/keys", to_organisation) == (404, "organisation_not_found")
    elsewhere = {"name": "x", "scopes": ["keys:read"], "organisation": "default"}
    assert await problem(tenant.api, "POST", "/keys", elsewhere) == (404, "organisation_not_found")
    assert await problem(tenant.api, "POST", "/keys", to_other_app | {"app": "live"}) == (404, "app_not_found")


async def test_keys_of_the_installation_are_out_of_sight(tenant: Tenant, managed_api: Any) -> None:
    above = (await managed_api("POST", "/keys", {"name": "x", "scopes": ["apps:read"]}, expect=201))["data"]
    assert await problem(tenant.api, "GET", f"/keys/{above['id']}") == (404, "key_not_found")
    assert await problem(tenant.api, "DELETE", f"/keys/{above['id']}") == (404, "key_not_found")
    listed = (await tenant.api("GET", "/keys?limit=200", expect=200))["data"]
    assert above["id"] not in {key["id"] for key in listed}


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_a_key_that_expires_lets_none_live_longer_itself_included(tenant: Tenant) -> None:
    ends = at(3_600)
    body = {"name": "short", "scopes": ["keys:write"], "expiresAt": ends}
    own = (await tenant.api("POST", "/keys", body, expect=201))["data"]
    caller = tenant.api.as_key(own["key"])
    wish = {"name": "child", "scopes": ["keys:write"]}

    child = (await caller("POST", "/keys", wish, expect=201))["data"]
    assert child["expiresAt"] == own["expiresAt"]
    assert await problem(caller, "POST", "/keys", wish | {"expiresAt": at(7_200)}) == BEYOND_EXPIRY
    await caller("POST", "/keys", wish | {"expiresAt": at(60)}, expect=201)

    for key in (own, child):
        for expiry in (None, at(7_200)):
            assert await problem(caller, "PATCH", f"/keys/{key['id']}", {"expiresAt": expiry}) == BEYOND_EXPIRY
    shorter = (await caller("PATCH", f"/keys/{own['id']}", {"expiresAt": at(600)}, expect=200))["data"]
    assert shorter["expiresAt"] < own["expiresAt"]
    assert await problem(caller, "PATCH", f"/keys/{own['id']}", {"expiresAt": ends}) == BEYOND_EXPIRY


async def test_a_key_that_expires_gives_nothing_to_one_that_does_not(tenant: Tenant) -> None:
    body = {"name": "short", "scopes": ["keys:write", "rooms:write"], "expiresAt": at(3_600)}
    caller = tenant.api.as_key((await tenant.api("POST", "/keys", body, expect=201))["data"]["key"])
    lasting = (await tenant.api("POST", "/keys", {"name": "x", "scopes": ["keys:read"]}, expect=201))["data"]
    path = f"/keys/{lasting['id']}"
    assert await problem(caller, "PATCH", path, {"scopes": ["keys:read", "rooms:read"]}) == BEYOND_EXPIRY
    assert (await caller("PATCH", path, {"name": "y", "expiresAt": None}, expect=200))["data"]["name"] == "y"
    both = {"scopes": ["keys:read", "rooms:read"], "expiresAt": at(600)}
    assert (await caller("PATCH", path, both, expect=200))["data"]["scopes"] == ["keys:read", "rooms:read"]
    assert (await tenant.api("PATCH", path, {"expiresAt": None}, expect=200))["data"]["expiresAt"] is None
