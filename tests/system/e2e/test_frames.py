"""Who may show a page in a frame: any origin the embed page, none the others, unless the app says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from html import escape

import pytest
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Frame, expect

from tests.support.browser import Visitor, moves, scrolls, visitor
from tests.support.product import Api
from tests.system.e2e.places import brief_room, meet_link, token

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 320, 180


@pytest.fixture
async def elsewhere() -> AsyncGenerator[str]:
    """The origin of a site that shows in a frame whatever it is asked to."""

    icon = '<link rel="icon" href="data:,">'

    async def show(request: web.Request) -> web.Response:
        address = escape(request.query["url"])
        frame = f'<iframe src="{address}" width="{WIDTH}" height="{HEIGHT}" allow="autoplay; fullscreen"></iframe>'
        return web.Response(text=f"<!doctype html><title>Elsewhere</title>{icon}{frame}", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", show)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
async def app(managed_api: Api) -> AsyncGenerator[str]:
    await managed_api("POST", "/apps", {"slug": "framed"}, expect=201)
    yield "framed"
    await managed_api("DELETE", "/apps/framed?force=true", expect=204)


async def frame_at(person: Visitor, site: str, url: str) -> Frame:
    """What stands in the frame when the site shows the address."""
    await person.page.goto(f"{site}/?url={url.replace('?', '%3F').replace('&', '%26')}")
    handle = await person.page.query_selector("iframe")
    assert handle is not None
    frame = await handle.content_frame()
    assert frame is not None
    return frame


async def refuses(person: Visitor, site: str, url: str) -> None:
    """The browser shows nothing of the page, and names `frame-ancestors` as the reason."""

    def is_reason(message: ConsoleMessage) -> bool:
        return "frame-ancestors" in message.text

    async with person.page.expect_console_message(is_reason):
        frame = await frame_at(person, site, url)
    await expect(frame.locator("#app")).to_have_count(0)
    assert "stagedoor" not in await frame.content()


async def test_the_embed_page_plays_in_a_frame_of_another_origin(
    managed_api: Api, browser: Browser, elsewhere: str, app: str
) -> None:
    await brief_room(managed_api, "show", app)
    access = await token(managed_api, "show", app)
    async with visitor(browser) as ada, visitor(browser) as reader:
        frame = await frame_at(reader, elsewhere, access["embedUrl"])
        await expect(frame.get_by_test_id("stage")).to_have_attribute("data-state", "waiting")
        assert not await scrolls(frame)
        await ada.meet(await meet_link(managed_api, "show", app), "Ada")
        await moves(frame.get_by_test_id("stage-video"))
        await expect(frame.get_by_test_id("stage")).to_have_attribute("data-state", "live")
        assert await frame.evaluate("[innerWidth, innerHeight]") == [WIDTH, HEIGHT]
        assert not await scrolls(frame)
        assert (ada.complaints, reader.complaints) == ([], [])

        await refuses(reader, elsewhere, access["playUrl"])
        await refuses(reader, elsewhere, await meet_link(managed_api, "show", app))


async def test_an_app_names_the_origins_that_may_frame_it(
    managed_api: Api, browser: Browser, elsewhere: str, app: str
) -> None:
    access = await token(managed_api, "show", app)
    async with visitor(browser) as reader:
        await managed_api("PATCH", f"/apps/{app}", {"settings": {"frameAncestors": ["https://somebody.example"]}})
        await refuses(reader, elsewhere, access["embedUrl"])
        await managed_api("PATCH", f"/apps/{app}", {"settings": {"frameAncestors": [elsewhere]}})
        for url in (access["embedUrl"], access["playUrl"]):
            frame = await frame_at(reader, elsewhere, url)
            await expect(frame.get_by_test_id("stage")).to_have_attribute("data-state", "waiting")
        await managed_api("PATCH", f"/apps/{app}", {"settings": {"frameAncestors": []}})
        await refuses(reader, elsewhere, access["embedUrl"])
