"""Pages where the network or the browser is not as it should be: a connection that is lost without a word, a browser
without H.264, without devices, or in a frame that does not allow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from tests.support.api_tenant import new_app
from tests.support.browser import visitor
from tests.support.product import Api, eventually
from tests.system.e2e.cameras import camera, shades
from tests.system.e2e.places import meet_link, token

pytestmark = pytest.mark.slow

NO_H264: Final = """
const real = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
RTCRtpReceiver.getCapabilities = kind => {
  const found = real(kind);
  return found && { ...found, codecs: found.codecs.filter(codec => codec.mimeType.toLowerCase() !== 'video/h264') };
};
"""
NO_DEVICES: Final = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined });"


@pytest.fixture
async def managed_app(managed_api: Api) -> str:
    """An app of the test's own."""
    return await new_app(managed_api)


class Proxy:
    """A proxy before the product that can lose connections without a word: nothing passes any more, and nothing ends.

    Attributes:
        sockets: Whether WebSockets are let through; if not, their handshake is answered 403.
    """

    def __init__(self, target: str, *, sockets: bool) -> None:
        self._host, port = target.removeprefix("http://").split(":")
        self._port = int(port)
        self.sockets = sockets
        self._open: set[asyncio.Event] = set()
        self._swallowing = False

    def swallow(self) -> None:
        """Lose every connection, those to come as well."""
        self._swallowing = True
        for through in self._open:
            through.clear()

    def heal(self) -> None:
        """Let new connections through; what was lost stays lost."""
        self._swallowing = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        through = asyncio.Event()
        self._open.add(through)
        if not self._swallowing:
            through.set()
        head = await reader.readuntil(b"\r\n\r\n")
        if not self.sockets and b"upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        if self._swallowing:
            await asyncio.Event().wait()
        back, forth = await asyncio.open_connection(self._host, self._port)
        try:
            forth.write(head)
            await asyncio.gather(_copy(reader, forth, through), _copy(back, writer, through))
        finally:
            _abort(forth)


def _abort(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport
    transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, through: asyncio.Event) -> None:
    try:
        while read := await source.read(65_536):
            await through.wait()
            target.write(read)
            await target.drain()
        target.close()
    except ConnectionError:
        pass


@asynccontextmanager
async def proxy(target: str, *, sockets: bool) -> AsyncGenerator[tuple[Proxy, str]]:
    """The proxy and its address."""
    made = Proxy(target, sockets=sockets)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await made.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            _abort(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield made, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("sockets", [True, False], ids=["websocket", "mjpeg"])
async def test_a_picture_moves_again_after_its_connection_was_lost_without_a_word(
    managed_api: Api, managed_app: str, http: aiohttp.ClientSession, browser: Browser, sockets: bool
) -> None:
    url = (await token(managed_api, "door", managed_app))["playUrl"]
    product = url.split("/play/")[0]
    async with (
        camera(managed_api, http, managed_app),
        visitor(browser) as viewer,
        proxy(product, sockets=sockets) as (between, address),
    ):
        await viewer.page.goto(url.replace(product, address))
        stage = viewer.page.get_by_test_id("stage")
        await shades(viewer.page, "canvas", 5)
        between.swallow()
        await expect(stage).to_have_attribute("data-state", "waiting", timeout=30_000)
        between.heal()
        await shades(viewer.page, "canvas", 5, timeout=30)
        await expect(stage).to_have_attribute("data-state", "live")
        # Once more, and the browser reports that the network is back, as after sleep.
        between.swallow()
        await asyncio.sleep(1.5)  # silence that is long enough to count after sleep
        between.heal()
        await viewer.page.evaluate("dispatchEvent(new Event('online'))")
        await shades(viewer.page, "canvas", 5, timeout=30)


async def test_a_bridged_camera_is_seen_where_h264_is_not_played(
    managed_api: Api, managed_app: str, http: aiohttp.ClientSession, browser: Browser
) -> None:
    await managed_api("PATCH", f"/apps/{managed_app}", {"settings": {"cameraBridge": "always"}})
    async with camera(managed_api, http, managed_app), visitor(browser) as viewer:

        async def bridged() -> bool:
            return (await managed_api("GET", f"/apps/{managed_app}/ws-ingest"))["data"][0]["bridged"]

        await eventually(bridged)
        await viewer.context.add_init_script(NO_H264)
        await viewer.page.goto((await token(managed_api, "door", managed_app))["playUrl"])
        await shades(viewer.page, "canvas", 5)
        await expect(viewer.page.get_by_test_id("stage")).to_have_attribute("data-state", "live")
        await viewer.meet(await meet_link(managed_api, "door", managed_app), "Ada")
        await expect(viewer.page.get_by_test_id("tile-note")).to_contain_text("H.264", timeout=20_000)


async def test_a_browser_without_devices_comes_in_all_the_same(managed_api: Api, browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.context.add_init_script(NO_DEVICES)
        await person.page.goto(await meet_link(managed_api, "bare"))
        await person.page.get_by_test_id("prejoin-name").fill("Ada")
        await expect(person.page.locator(".troubles")).to_contain_text("gives pages no camera")
        await person.page.get_by_test_id("prejoin-join").click()
        await person.page.locator('[data-testid="meet-room"][data-state="connected"]').wait_for()
        assert person.complaints == []


@pytest.fixture
async def elsewhere() -> AsyncGenerator[str]:
    """The origin of a site whose frame does not allow devices."""

    async def show(request: web.Request) -> web.Response:
        frame = f'<iframe src="{request.query["url"]}" width="640" height="480" allow="autoplay"></iframe>'
        return web.Response(text=f"<!doctype html><title>Elsewhere</title>{frame}", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", show)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_a_frame_that_allows_no_devices_is_named_as_the_reason(
    managed_api: Api, managed_app: str, browser: Browser, elsewhere: str
) -> None:
    await managed_api("PATCH", f"/apps/{managed_app}", {"settings": {"frameAncestors": [elsewhere]}})
    url = await meet_link(managed_api, "framed", managed_app)
    async with visitor(browser) as person:
        await person.page.goto(f"{elsewhere}/?url={url.replace('?', '%3F').replace('&', '%26')}")
        frame: Any = person.page.frame_locator("iframe")
        await expect(frame.locator(".troubles")).to_contain_text('allow="camera; microphone"')
