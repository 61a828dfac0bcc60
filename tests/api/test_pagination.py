"""Lists in pages: each item once, in order, whatever the size of a page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_tenant import Tenant, fresh, new_key, new_organisation, new_tenant, problem
from tests.support.product import Api

LISTS = ["/organisations", "/keys", "/apps", "/apps/{app}/rooms", "/apps/{app}/sessions"]


async def walked(api: Api, path: str, limit: int) -> list[str]:
    seen: list[str] = []
    cursor = ""
    while True:
        answer = await api("GET", f"{path}?limit={limit}{cursor}", expect=200)
        assert set(answer) == {"data", "page"}
        assert len(answer["data"]) <= limit
        seen += [item["id"] for item in answer["data"]]
        if answer["page"]["next"] is None:
            return seen
        assert len(answer["data"]) == limit
        cursor = f"&cursor={answer['page']['next']}"


@pytest.fixture
async def full(managed_api: Api) -> Tenant:
    """A tenant with five of everything."""
    tenant = await new_tenant(managed_api)
    for _ in range(3):
        await tenant.api("POST", "/apps", {"slug": fresh("app")}, expect=201)
    for index in range(5):
        await new_key(tenant.api, "apps:read")
        await tenant.api("POST", f"/apps/{tenant.app}/rooms", {"name": f"room{index}"}, expect=201)
    return tenant


async def test_every_list_has_pages(full: Tenant) -> None:
    for template in LISTS[1:]:
        path = template.format(app=full.app)
        whole = await walked(full.api, path, 200)
        assert len(whole) >= 5
        assert len(set(whole)) == len(whole)
        for limit in (1, 2, 5):
            assert await walked(full.api, path, limit) == whole, path


async def test_organisations_have_pages(managed_api: Api) -> None:
    made = {(await managed_api("GET", f"/organisations/{await new_organisation(managed_api)}"))["data"]["id"]}
    whole = await walked(managed_api, "/organisations", 200)
    assert made <= set(whole)
    assert await walked(managed_api, "/organisations", 1) == whole


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1.5", "cursor=%00"])
@pytest.mark.parametrize("path", LISTS)
async def test_a_page_has_1_to_200_items(managed_api: Api, path: str, query: str) -> None:
    answer: Any = await problem(managed_api, "GET", f"{path.format(app='live')}?{query}")
    assert answer == (422, "validation_failed")


async def test_an_empty_limit_is_as_none(full: Tenant) -> None:
    whole, empty = [await full.api("GET", f"/keys{query}", expect=200) for query in ("", "?limit=")]
    assert [item["id"] for item in empty["data"]] == [item["id"] for item in whole["data"]]


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_of_nothing_ends_or_begins_the_list(managed_api: Api, path: str) -> None:
    for cursor in ("zzz", "%F0%9F%98%80", "'; DROP TABLE apps; --"):
        await managed_api("GET", f"{path.format(app='live')}?cursor={cursor}", expect=200)
