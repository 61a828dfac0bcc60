"""A camera of tests whose picture changes, and a page's picture watched for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import numpy as np
import simplejpeg
from playwright.async_api import Page, expect

from tests.support.product import Api

_BRIGHTNESS = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 1, 1);
  return data[0];
}"""


def picture(level: int) -> bytes:
    """A picture of this brightness, with a dark half."""
    pixels = np.full((240, 320, 3), level, np.uint8)
    pixels[:, 160:] //= 4
    return simplejpeg.encode_jpeg(pixels)


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


async def shades(page: Page, selector: str, wanted: int, *, timeout: float = 15) -> None:  # noqa: ASYNC109
    """Wait until the picture was seen in so many shades."""
    canvas = page.locator(selector)
    await expect(canvas).to_be_visible(timeout=timeout * 1000)
    seen: set[int] = set()
    async with asyncio.timeout(timeout):
        while len(seen) < wanted:
            seen.add(await canvas.evaluate(_BRIGHTNESS))
