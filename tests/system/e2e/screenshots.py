"""Pictures of every page for the eye: phone and desktop, light and dark.

STAGEDOOR_SCREENSHOTS=/tmp/pictures python -m tests.system.e2e.screenshots

The README's picture is `meet-chat-desktop-light.png`, made smaller.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, expect

from tests.support.browser import DESKTOP, PHONE, Visitor, chromium, moves, visitor
from tests.support.product import Api, RunningProduct, running
from tests.system.e2e.places import meet_link, page_link, token
from tests.system.e2e.portraits import PORTRAITS, film

LOOKS = [
    (f"{name}-{'dark' if dark else 'light'}", size, dark)
    for name, size in (("phone", PHONE), ("desktop", DESKTOP))
    for dark in (False, True)
]


class Photographer:
    """Takes every page of one product.

    Args:
        folder: Where the pictures go.
    """

    def __init__(self, browser: Browser, product: RunningProduct, api: Api, folder: Path) -> None:
        self._browser = browser
        self._product = product
        self._api = api
        self._folder = folder

    async def all(self) -> None:
        await self._quiet_pages()
        async with self._people("Ada Lovelace", "Grace Hopper", "Katherine Johnson"):
            await self._play()
            await self._meet()
            await self._publish()

    @asynccontextmanager
    async def _people(self, *names: str) -> AsyncGenerator[None]:
        """A meeting with these people in it; every second one has no camera on."""
        async with AsyncExitStack() as stack:
            for place, name in enumerate(names):
                browser = await stack.enter_async_context(_camera(1 + place // 2, self._folder))
                person = await stack.enter_async_context(visitor(browser, (640, 360)))
                await person.meet(await meet_link(self._api, "demo"), name)
                for device in ("camera", "microphone"):
                    toggle = person.page.get_by_test_id(f"toggle-{device}")
                    await expect(toggle).to_have_attribute("data-on", "true")
                    if place % 2:
                        await toggle.click()
            yield

    async def _quiet_pages(self) -> None:
        for look, size, dark in LOOKS:
            async with visitor(self._browser, size, dark=dark) as person:
                await person.page.goto((await token(self._api, "empty"))["playUrl"])
                await person.page.locator('[data-state="waiting"]').wait_for()
                await self._take(person, "play-waiting", look)
                await person.page.goto(f"{self._product.url}/play/live/live-private")
                await self._take(person, "unavailable", look)
                await person.page.goto(f"{self._product.url}/api/v1/docs")
                await person.page.locator(".opblock").first.wait_for()
                await self._take(person, "docs", look)
                mint = person.page.locator(".opblock", has_text="Mint a join token")
                await mint.locator(".opblock-summary-control").click()
                await mint.locator(".responses-table").wait_for()
                await mint.scroll_into_view_if_needed()
                await mint.evaluate("element => element.scrollIntoView({ block: 'start' })")
                await self._take(person, "docs-operation", look)
                await mint.locator(".responses-wrapper").evaluate(
                    "element => element.scrollIntoView({ block: 'start' })"
                )
                await self._take(person, "docs-answers", look)

    async def _play(self) -> None:
        for look, size, dark in LOOKS:
            async with visitor(self._browser, size, dark=dark) as person:
                access = await token(self._api, "demo")
                await person.page.goto(access["playUrl"])
                await moves(person.page.get_by_test_id("stage-video").first)
                await expect(person.page.get_by_test_id("stage-video")).to_have_count(2)
                await person.page.mouse.move(100, 100)
                await self._take(person, "play", look)
        for dark in (False, True):
            async with visitor(self._browser, (320, 180), dark=dark, scale=2) as person:
                await person.page.goto((await token(self._api, "demo"))["embedUrl"])
                await moves(person.page.get_by_test_id("stage-video").first)
                await person.page.mouse.move(100, 100)
                await self._take(person, "embed", "dark" if dark else "light")
                await person.page.goto((await token(self._api, "empty"))["embedUrl"])
                await person.page.locator('[data-state="waiting"]').wait_for()
                await self._take(person, "embed-waiting", "dark" if dark else "light")

    async def _meet(self) -> None:
        for look, size, dark in LOOKS:
            async with visitor(self._browser, size, dark=dark) as person:
                page = person.page
                await page.goto(await meet_link(self._api, "demo"))
                await moves(page.locator(".preview video"))
                await page.get_by_test_id("prejoin-name").fill("Mary Jackson")
                await self._take(person, "meet-prejoin", look)
                await person.meet(await meet_link(self._api, "demo"), "Mary Jackson")
                await expect(page.get_by_test_id("tile")).to_have_count(4)
                await moves(page.locator('[data-testid="tile"]:not([data-local]) video').first)
                await self._take(person, "meet", look)
                await page.get_by_test_id("toggle-chat").click()
                await page.get_by_test_id("chat-input").fill("The notes are at https://example.com/notes")
                await page.get_by_test_id("chat-input").press("Enter")
                await page.get_by_test_id("chat-message").wait_for()
                await self._take(person, "meet-chat", look)
                await page.get_by_test_id("toggle-chat").click()
                await page.get_by_role("button", name="Microphone and speaker").click()
                await self._take(person, "meet-devices", look)
                await page.keyboard.press("Escape")
                await page.get_by_test_id("toggle-screen").click()
                await page.locator('[data-source="screen_share"] video').wait_for()
                await self._take(person, "meet-screen", look)
                await person.leave()
                await self._take(person, "meet-left", look)

    async def _publish(self) -> None:
        for look, size, dark in LOOKS:
            async with visitor(self._browser, size, dark=dark) as person:
                page = person.page
                await page.goto(await page_link(self._api, "stage", "publish"))
                await moves(page.locator(".preview video"))
                await page.get_by_test_id("prejoin-name").fill("Mary Jackson")
                await self._take(person, "publish-ready", look)
                await page.get_by_test_id("prejoin-join").click()
                await moves(page.get_by_test_id("own-picture"))
                await self._take(person, "publish", look)
                await page.get_by_test_id("stop").click()
                await page.get_by_test_id("left-page").wait_for()
                await self._take(person, "publish-ended", look)

    async def _take(self, person: Visitor, page: str, look: str) -> None:
        await person.page.wait_for_timeout(400)  # animations
        await person.page.screenshot(path=self._folder / f"{page}-{look}.png")


@asynccontextmanager
async def _camera(number: int, folder: Path) -> AsyncGenerator[Browser]:
    """A browser whose camera shows a drawn person."""
    path = folder / f"camera-{number}.mjpeg"
    if not path.exists():
        film(PORTRAITS[number], path)
    async with chromium(f"--use-file-for-fake-video-capture={path}") as browser:
        yield browser


async def take(product: RunningProduct, folder: Path) -> None:
    async with _camera(0, folder) as browser, aiohttp.ClientSession() as http:
        await Photographer(browser, product, Api(http, product.url, product.api_key), folder).all()


def main() -> int:
    wanted = os.environ.get("STAGEDOOR_SCREENSHOTS")
    if not wanted:
        sys.stderr.write("STAGEDOOR_SCREENSHOTS names no folder for the pictures\n")
        return 2
    folder = Path(wanted).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, running(Path(data)) as product:
        asyncio.run(take(product, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
