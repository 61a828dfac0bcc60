"""Requests that change the same things at once: one wins, the others get an error that a caller can act on."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.support.api_tenant import fresh, new_organisation
from tests.support.product import Api, RunningProduct


@pytest.fixture
def api_on(every_product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    """The contract on SQLite, and on PostgreSQL, where transactions run side by side."""
    return Api(http, every_product.url, every_product.api_key)


async def answers(api: Api, *requests: tuple[str, str, Any]) -> list[tuple[int, str | None]]:
    """Status and code of requests that are made at once."""
    got = await asyncio.gather(*(api.raw(*request) for request in requests))
    return [(status, answer.get("code") if isinstance(answer, dict) else None) for status, answer, _ in got]


async def test_one_of_several_organisations_gets_a_slug(api_on: Api) -> None:
    for _ in range(4):
        found = [await new_organisation(api_on) for _ in range(4)]
        wish = {"slug": fresh("same")}
        got = await answers(api_on, *(("PATCH", f"/organisations/{one}", wish) for one in found))
        assert sorted(got, key=str) == [(200, None)] + [(409, "slug_taken")] * 3


async def test_an_organisation_that_gets_an_app_is_not_deleted(api_on: Api) -> None:
    for _ in range(4):
        organisation = await new_organisation(api_on)
        new = [("POST", "/apps", {"slug": fresh("app"), "organisation": organisation}) for _ in range(4)]
        got = await answers(api_on, *new, ("DELETE", f"/organisations/{organisation}", None), *new)
        assert {status for status, _ in got} <= {201, 204, 404, 409}


async def test_what_is_made_in_an_app_that_is_deleted(api_on: Api) -> None:
    organisation = await new_organisation(api_on)
    for _ in range(4):
        app = fresh("app")
        await api_on("POST", "/apps", {"slug": app, "organisation": organisation}, expect=201)
        made: list[tuple[str, str, Any]] = [
            (method, path, body)
            for number in range(4)
            for method, path, body in (
                ("POST", f"/apps/{app}/ws-ingest", {"room": f"cam{number}"}),
                ("POST", f"/apps/{app}/sessions", {"roomName": f"s{number}"}),
                ("POST", f"/apps/{app}/tokens", {"room": "demo"}),
                ("POST", "/keys", {"name": "k", "scopes": ["apps:read"], "app": app}),
                ("PATCH", f"/apps/{app}", {"name": f"n{number}"}),
            )
        ]
        half = len(made) // 2
        got = await answers(api_on, *made[:half], ("DELETE", f"/apps/{app}", None), *made[half:])
        assert {status for status, _ in got} <= {200, 201, 204, 404, 409}, got
