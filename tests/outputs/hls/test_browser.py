"""hls.js plays it in Chromium, in a page of another origin, and goes on when the source comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Locator

from tests.outputs.hls.product import Viewer, link, made_room, pushing
from tests.support.browser import chromium, moves, visitor
from tests.support.ports import free_ports
from tests.support.product import Api, eventually

pytestmark = pytest.mark.anyio
PLAYER: Final = Path(__file__).parents[3] / "web" / "node_modules" / "hls.js" / "dist" / "hls.min.js"
PAGE: Final = """<!doctype html><video muted playsinline width=320></video><script src="/hls.js"></script><script>
  const video = document.querySelector('video');
  const hls = window.hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 });
  window.fatal = [];
  hls.on(Hls.Events.ERROR, (_, error) => { if (error.fatal) window.fatal.push(error.details); });
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
  window.watch = url => { hls.attachMedia(video); hls.loadSource(url); };
</script>"""
STATE: Final = """() => {
  const details = hls.latestLevelDetails, video = document.querySelector('video');
  if (details && hls.latency > 4 * details.targetduration) video.currentTime = hls.liveSyncPosition;
  return { time: video.currentTime, latency: hls.latency, fatal: window.fatal, parts: !!details?.partList?.length,
    target: details?.targetduration, width: video.videoWidth, blocking: !!details?.canBlockReload };
}"""


@asynccontextmanager
async def page_server() -> AsyncGenerator[str]:
    """A page of another origin."""

    async def page(request: web.Request) -> web.StreamResponse:
        if request.path == "/hls.js":
            return web.FileResponse(PLAYER)
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


async def test_hls_js_plays_near_the_end_and_goes_on_with_a_source_that_came_back(
    hls_api: Api, http: aiohttp.ClientSession
) -> None:
    assert PLAYER.is_file(), "hls.js is not there; run `make pages`"
    room, ingress = await made_room(hls_api)
    url = await link(hls_api, room)
    async with page_server() as address, chromium() as browser, visitor(browser) as person:
        page = person.page
        await page.goto(address)
        video: Locator = page.locator("video")

        async def state(right: Callable[[Any], bool]) -> Any:
            async def look() -> Any:
                found = await page.evaluate(STATE)
                assert not found["fatal"], found
                return found if right(found) else None

            return await eventually(look, 90)

        async with pushing(ingress):
            await Viewer(http, url).begin()
            await page.evaluate("url => watch(url)", url)
            await moves(video, 60)
            playing = await state(lambda now: now["time"] > 0 and now["parts"])
            assert playing["blocking"]
            # In segments, and at some time: one on a busy machine falls behind, and plays faster or skips.
            near = await state(lambda now: 0 < now["latency"] <= 3 * now["target"])
            await state(lambda now: now["time"] > near["time"] + 4)
        async with pushing(ingress, "-bf", "0", "-s", "160x120"):
            await state(lambda now: now["width"] == 160)
            await moves(video, 60)
            again = await state(lambda now: now["time"] > 0)
            await state(lambda now: now["time"] > again["time"] + 2)
        assert not person.without("favicon")
