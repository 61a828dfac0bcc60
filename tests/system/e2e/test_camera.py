"""A camera on the play page: frame by frame while it is all there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import numpy as np
import pytest
import simplejpeg
from playwright.async_api import Browser, Page, expect

from tests.support.api_tenant import new_app
from tests.support.browser import moves, visitor
from tests.support.product import Api
from tests.system.e2e.places import meet_link, token

pytestmark = pytest.mark.slow

_BRIGHTNESS = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 1, 1);
  return data[0];
}"""


def picture(level: int) -> bytes:
    """A picture of this brightness, with a dark half."""
    pixels = np.full((240, 320, 3), level, np.uint8)
    pixels[:, 160:] //= 4
    return simplejpeg.encode_jpeg(pixels)


@pytest.fixture
async def managed_app(managed_api: Api) -> str:
    """An app of the test's own."""
    return await new_app(managed_api)


@asynccontextmanager
async def camera(api: Api, http: aiohttp.ClientSession, app: str) -> AsyncGenerator[None]:
    """A camera whose picture grows brighter and dark again."""
    made = (await api("POST", f"/apps/{app}/ws-ingest", {"room": "door"}, expect=201))["data"]
    headers = {"Authorization": f"Bearer {made['streamKey']}"}
    async with http.ws_connect(made["wsUrl"], headers=headers) as socket:
        await socket.receive_json()

        async def send() -> None:
            for number in count():
                await socket.send_bytes(picture(number * 16 % 256))
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(send())
        try:
            yield
        finally:
            sending.cancel()
    await api("DELETE", f"/apps/{app}/ws-ingest/{made['id']}", expect=204)


async def shades(page: Page, selector: str, wanted: int) -> None:
    """Wait until the picture was seen in so many shades."""
    canvas = page.locator(selector)
    await expect(canvas).to_be_visible(timeout=15_000)
    seen: set[int] = set()
    async with asyncio.timeout(15):
        while len(seen) < wanted:
            seen.add(await canvas.evaluate(_BRIGHTNESS))


async def test_a_camera_is_watched_frame_by_frame_and_by_webrtc_once_people_are_there(
    managed_api: Api, managed_app: str, http: aiohttp.ClientSession, browser: Browser
) -> None:
    async with camera(managed_api, http, managed_app), visitor(browser) as viewer, visitor(browser) as ada:
        await viewer.page.goto((await token(managed_api, "door", managed_app))["playUrl"])
        await shades(viewer.page, "canvas", 5)
        stage = viewer.page.get_by_test_id("stage")
        await expect(stage).to_have_attribute("data-state", "live")
        await expect(viewer.page.get_by_label("Mute")).to_be_hidden()  # it has no sound
        # Who watches frames is nobody's reason to bridge it.
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
