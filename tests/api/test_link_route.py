"""`POST /apps/{app}/rooms/{room}/links`."""

from __future__ import annotations

import aiohttp
import pytest

from tests.support.api_tenant import new_app, problem
from tests.support.product import Api


@pytest.mark.parametrize("page", ["play", "embed", "meet", "publish"])
async def test_a_link_works_as_it_is(managed_api: Api, http: aiohttp.ClientSession, page: str) -> None:
    link = (await managed_api("POST", "/apps/live/rooms/demo/links", {"page": page, "ttl": "5m"}, expect=201))["data"]
    assert f"/{page}/live/live-demo?token=" in link["url"]
    assert link["expiresAt"] is not None
    async with http.get(link["url"]) as answer:
        assert answer.status == 200
    unsigned = link["url"].partition("?")[0]
    async with http.get(unsigned) as answer:
        assert answer.status == 404


async def test_links_take_both_names(managed_api: Api) -> None:
    for room in ("demo", "live-demo"):
        link = (await managed_api("POST", f"/apps/live/rooms/{room}/links", {"page": "play"}, expect=201))["data"]
        assert "/play/live/live-demo?token=" in link["url"]


async def test_meeting_needs_a_link_even_where_playback_is_public(managed_api: Api) -> None:
    app = await new_app(managed_api, playbackPolicy="public")
    play = (await managed_api("POST", f"/apps/{app}/rooms/demo/links", {"page": "play"}, expect=201))["data"]
    assert (play["url"].endswith(f"/play/{app}/{app}-demo"), play["expiresAt"]) == (True, None)
    meet = (await managed_api("POST", f"/apps/{app}/rooms/demo/links", {"page": "meet"}, expect=201))["data"]
    assert "?token=" in meet["url"]


async def test_what_is_no_link(managed_api: Api) -> None:
    path = "/apps/live/rooms/demo/links"
    assert await problem(managed_api, "POST", path, {"page": "admin"}) == (422, "validation_failed")
    assert await problem(managed_api, "POST", path, {"page": "play", "ttl": "8d"}) == (422, "ttl_too_long")
    assert await problem(managed_api, "POST", path, {"page": "play", "ttl": "0s"}) == (422, "bad_ttl")
    odd = "/apps/live/rooms/-odd/links"
    assert await problem(managed_api, "POST", odd, {"page": "play"}) == (422, "bad_room_name")
