"""Programs that people point at an MJPEG address, as they are."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
from aiohttp import web
from PIL import Image
from playwright.async_api import Page

from tests.support.browser import chromium, visitor
from tests.support.cameras import BLUE, RED, Device, frame, has_viewers, sending, size_of

GREEN = (20, 180, 20)


@asynccontextmanager
async def filmed(http: aiohttp.ClientSession, device: Device) -> AsyncGenerator[None]:
    """The camera sends 25 pictures a second, each of another brightness."""

    async def film() -> None:
        number = 0
        while True:
            number += 1
            await camera.send(frame(str(number), (number * 16 % 256, 90, 40), 320, 240))
            await asyncio.sleep(0.04)

    async with sending(http, device) as camera:
        filming = asyncio.create_task(film())
        try:
            yield
        finally:
            filming.cancel()


async def run(*command: str) -> tuple[str, str]:
    """What a program writes."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors.decode()
    return out.decode(errors="replace"), errors.decode(errors="replace")


@pytest.mark.parametrize("options", [[], ["-f", "mpjpeg", "-strict_mime_boundary", "1"]])
async def test_ffmpeg(http: aiohttp.ClientSession, door: Device, options: list[str]) -> None:
    async with filmed(http, door):
        output = ["-frames:v", "25", "-f", "framemd5", "-"]
        found, errors = await run("ffmpeg", "-v", "warning", *options, "-i", door.body["mjpegUrl"], *output)
    hashes = [line.rsplit(",", 1)[1] for line in found.splitlines() if not line.startswith("#")]
    assert len(hashes) == 25
    assert len(set(hashes)) > 10  # it moves
    assert not re.search("(?i)invalid|error|corrupt", errors)
    await has_viewers(http, door, 0)


async def test_ffprobe_knows_what_it_is(http: aiohttp.ClientSession, door: Device) -> None:
    async with filmed(http, door):
        show = ["-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"]
        found, _ = await run("ffprobe", "-v", "error", *show, door.body["mjpegUrl"])
    assert found.strip() == "mjpeg,320,240"


async def test_pyav(http: aiohttp.ClientSession, door: Device) -> None:
    def read() -> set[float]:
        opened: Any = av.open(door.body["mjpegUrl"], timeout=10)
        with opened as container:
            pictures = container.decode(video=0)
            return {float(next(pictures).to_ndarray(format="rgb24").mean()) for _ in range(20)}

    async with filmed(http, door):
        assert len(await asyncio.to_thread(read)) > 10


async def test_opencv(http: aiohttp.ClientSession, door: Device) -> None:
    cv2: Any = pytest.importorskip("cv2", reason="OpenCV is no dependency; install opencv-python-headless")

    def read() -> set[float]:
        capture = cv2.VideoCapture(door.body["mjpegUrl"], cv2.CAP_FFMPEG)
        try:
            found: set[float] = set()
            for _ in range(20):
                good, picture = capture.read()
                assert good
                assert picture.shape == (240, 320, 3)
                found.add(float(picture.mean()))
            return found
        finally:
            capture.release()

    async with filmed(http, door):
        assert len(await asyncio.to_thread(read)) > 10


async def test_curl_takes_a_snapshot(http: aiohttp.ClientSession, door: Device, tmp_path: Path) -> None:
    target = tmp_path / "frame.jpg"
    async with filmed(http, door):
        found, _ = await run("curl", "-sSf", "-w", "%{content_type}", "-o", str(target), door.body["frameUrl"])
        again, _ = await run(
            "curl", "-sS", "-o", str(target), "-w", "%{http_code}", door.body["frameUrl"] + "?width=160"
        )
    assert (found, again) == ("image/jpeg", "200")
    assert size_of(target.read_bytes()) == (160, 120)
    missing, _ = await run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", door.body["frameUrl"])
    assert missing == "404"


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    async with chromium() as browser, visitor(browser) as person:
        yield person.page


async def test_chromium_shows_moving_pixels_and_the_last_frame(
    http: aiohttp.ClientSession, door: Device, page: Page, site: str
) -> None:
    """In a page of another site. A browser draws a part when it sees the boundary after it."""

    async def shows(color: tuple[int, int, int], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            # What is on the screen: a canvas draws nothing of a picture that goes on loading.
            shot = Image.open(io.BytesIO(await page.screenshot(clip={"x": 100, "y": 100, "width": 4, "height": 4})))
            found: Any = shot.convert("RGB").getpixel((1, 1))
            if all(abs(a - b) < 12 for a, b in zip(found, color, strict=True)):
                return
            assert time.monotonic() < deadline, f"{found} is not {color}"
            await asyncio.sleep(0.02)

    async with sending(http, door) as camera:
        await camera.send(frame("0", RED, 320, 240))
        await page.goto(f"{site}/?url={door.body['mjpegUrl']}", wait_until="commit")
        await page.locator("img").wait_for()
        await shows(RED, 15)
        for color in (BLUE, GREEN, RED, BLUE):
            await camera.send(frame("x", color, 320, 240))
            await shows(color, 1)  # though the camera sends nothing after it
    async with sending(http, door) as camera:
        await camera.send(frame("back", GREEN, 320, 240))
        await shows(GREEN, 2)
        await page.goto("about:blank")
        await has_viewers(http, door, 0)


@pytest.fixture
async def site() -> AsyncGenerator[str]:
    """The origin of a page with a picture from wherever it is asked to."""

    async def show(request: web.Request) -> web.Response:
        picture = f'<!doctype html><img crossorigin="anonymous" width="320" height="240" src="{request.query["url"]}">'
        return web.Response(text=picture, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", show)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()
