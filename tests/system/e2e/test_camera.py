"""A camera on the play page: frame by frame while it is all there is."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.support.api_tenant import new_app
from tests.support.browser import moves, visitor
from tests.support.product import Api
from tests.system.e2e.cameras import camera, shades
from tests.system.e2e.places import meet_link, token

pytestmark = pytest.mark.slow


@pytest.fixture
async def managed_app(managed_api: Api) -> str:
    """An app of the test's own."""
    return await new_app(managed_api)


async def test_a_camera_is_watched_frame_by_frame_and_by_webrtc_once_people_are_there(
    managed_api: Api, managed_app: str, http: aiohttp.ClientSession, browser: Browser
) -> None:
    async with camera(managed_api, http, managed_app), visitor(browser) as viewer, visitor(browser) as ada:
        await viewer.page.goto((await token(managed_api, "door", managed_app))["playUrl"])
        await shades(viewer.page, "canvas", 5)
        stage = viewer.page.get_by_test_id("stage")
        await expect(stage).to_have_attribute("data-state", "live")
        await expect(viewer.page.get_by_label("Mute")).to_be_hidden()  # it has no sound
        # A viewer of frames is no reason to bridge it.
        state = f"/apps/{managed_app}/ws-ingest"
        assert [(made["live"], made["bridged"]) for made in (await managed_api("GET", state))["data"]] == [
            (True, False)
        ]
        await ada.meet(await meet_link(managed_api, "door", managed_app), "Ada")
        videos = viewer.page.get_by_test_id("stage-video")
        await expect(videos).to_have_count(2, timeout=20_000)
        await moves(videos.first)
        await moves(videos.last)
        await expect(viewer.page.get_by_label("Mute")).to_be_visible()
        assert viewer.complaints == []


async def test_who_waits_for_a_camera_that_is_not_bridged_sees_it_when_it_comes(
    managed_api: Api, managed_app: str, http: aiohttp.ClientSession, browser: Browser
) -> None:
    await managed_api("PATCH", f"/apps/{managed_app}", {"settings": {"cameraBridge": "off"}}, expect=200)
    async with visitor(browser) as viewer:
        await viewer.page.goto((await token(managed_api, "door", managed_app))["playUrl"])
        stage = viewer.page.get_by_test_id("stage")
        await expect(stage).to_have_attribute("data-state", "waiting", timeout=15_000)
        async with camera(managed_api, http, managed_app):
            await shades(viewer.page, "canvas", 5)
            await expect(stage).to_have_attribute("data-state", "live")
        assert viewer.complaints == []
