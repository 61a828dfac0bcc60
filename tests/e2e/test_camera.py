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

from tests.e2e.places import meet_link, token
from tests.support.api_tenant import fresh
from tests.support.browser import moves, visitor
from tests.support.product import Api

pytestmark = pytest.mark.slow

_BRIGHTNESS = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 1, 1);
  return data[0];
}"""


def picture(level: int) -> bytes:
    """A grey picture of this brightness."""
    return simplejpeg.encode_jpeg(np.full((240, 320, 3), level, np.uint8))


@asynccontextmanager
async def camera(api: Api, http: aiohttp.ClientSession, room: str) -> AsyncGenerator[None]:
    """A camera whose picture grows brighter and dark again."""
    made = (await api("POST", "/apps/live/ws-ingest", {"room": room}, expect=201))["data"]
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
    await api("DELETE", f"/apps/live/ws-ingest/{made['id']}", expect=204)


async def shades(page: Page, selector: str, wanted: int) -> None:
    """Wait until the picture was seen in so many shades."""
    canvas = page.locator(selector)
    await expect(canvas).to_be_visible(timeout=15_000)
    seen: set[int] = set()
    async with asyncio.timeout(15):
        while len(seen) < wanted:
            seen.add(await canvas.evaluate(_BRIGHTNESS))


async def test_a_camera_is_watched_frame_by_frame_and_by_webrtc_once_people_are_there(
    managed_api: Api, http: aiohttp.ClientSession, browser: Browser
) -> None:
    room = fresh("camera")
    async with visitor(browser) as viewer, visitor(browser) as ada:
        stage = viewer.page.get_by_test_id("stage")
        await viewer.page.goto((await token(managed_api, room))["playUrl"])
        await expect(stage).to_have_attribute("data-state", "waiting", timeout=15_000)
        async with camera(managed_api, http, room):
            await shades(viewer.page, "canvas", 5)
            await expect(stage).to_have_attribute("data-state", "live")
            await ada.meet(await meet_link(managed_api, room), "Ada")
            await moves(viewer.page.get_by_test_id("stage-video").first)
        assert viewer.complaints == []
