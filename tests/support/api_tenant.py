"""Tenants for tests: each has names of its own, so that tests share a running product."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tests.support.product import Api


def fresh(prefix: str) -> str:
    """A name that nothing has yet, fit for every kind of name."""
    return f"{prefix}{secrets.token_hex(4)}"


async def new_app(api: Api, organisation: str = "default", **settings: Any) -> str:
    """A new app's slug."""
    body = {"slug": fresh("app"), "organisation": organisation, "settings": settings}
    slug: str = (await api("POST", "/apps", body, expect=201))["data"]["slug"]
    return slug


async def new_organisation(api: Api) -> str:
    """A new organisation's slug."""
    slug: str = (await api("POST", "/organisations", {"name": fresh("Tenant ")}, expect=201))["data"]["slug"]
    return slug


async def new_key(api: Api, *scopes: str, **fields: Any) -> str:
    """A new key's secret."""
    body = {"name": fresh("key "), "scopes": list(scopes), **fields}
    secret: str = (await api("POST", "/keys", body, expect=201))["data"]["key"]
    return secret


@dataclass(frozen=True)
class Tenant:
    """An organisation with two apps.

    Attributes:
        api: The contract with an admin key of the organisation.
    """

    api: Api
    organisation: str
    app: str
    other_app: str


async def new_tenant(api: Api) -> Tenant:
    """A tenant that no other test uses."""
    organisation = await new_organisation(api)
    key = await new_key(api, "admin", organisation=organisation)
    return Tenant(api.as_key(key), organisation, await new_app(api, organisation), await new_app(api, organisation))


async def problem(api: Api, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    """Status and code of an answer that is a problem document of the right form."""
    status, answer, received = await api.raw(method, path, body, **headers)
    assert received["Content-Type"] == "application/problem+json", (status, answer)
    assert {"type", "title", "status", "code", "detail"} <= set(answer)
    assert answer["status"] == status
    return status, answer["code"]
