"""The example cameras as they stand, and what the pages about devices say, against the real product."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from PIL import Image

from stagedoor.streams.jpeg import measure
from tests.examples.device_server import device_server
from tests.examples.esp32 import board, build, pictures
from tests.support.api_tenant import fresh
from tests.support.product import Api, RunningProduct, clean_environment, eventually, running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "cameras"
DEVICES = ROOT / "docs" / "how-to" / "devices"
SOURCE = ("-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("cameras")) as started:
        yield started


@pytest.fixture
def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("frames") / "jpeg")


@dataclass(frozen=True)
class Made:
    """A camera's answer from the API, and how to look at its frames.

    Attributes:
        token: A signed link's.
    """

    data: dict[str, Any]
    token: str
    http: aiohttp.ClientSession

    async def picture(self) -> bytes | None:
        """The newest frame, if it sends."""
        async with self.http.get(self.data["frameUrl"], params={"token": self.token}) as answer:
            return await answer.read() if answer.status == 200 else None

    async def moving(self) -> list[Image.Image]:
        """Its frame, and a later one that differs."""
        first = await eventually(self.picture)

        async def other() -> bytes | None:
            newest = await self.picture()
            return newest if newest != first else None

        found = [first, await eventually(other)]
        assert all(measure(data)[0] == data for data in found)
        return [Image.open(BytesIO(data)).convert("RGB") for data in found]


async def new_camera(api: Api, http: aiohttp.ClientSession) -> Made:
    room = fresh("door")
    data = (await api("POST", "/apps/live/ws-ingest", {"room": room}, expect=201))["data"]
    link = (await api("POST", f"/apps/live/rooms/{room}/links", {"page": "play"}))["data"]
    return Made(data, link["url"].partition("token=")[2], http)


class Device:
    """An example's process, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())

    async def logged(self, pattern: str) -> str:
        async def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        logged: str = await eventually(found)
        return logged


@asynccontextmanager
async def device(*command: str, **environment: str) -> AsyncGenerator[Device]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=clean_environment() | environment,
        cwd=EXAMPLES,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    made = Device(process)
    reading = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        await reading


def python_camera(url: str, key: str, *source: str) -> Any:
    return device(sys.executable, "camera.py", *source, CAMERA_URL=url, CAMERA_KEY=key)


def shell_camera(url: str, key: str) -> Any:
    return device("./camera.sh", *SOURCE, CAMERA_FRAME_URL=url, CAMERA_KEY=key, CAMERA_FPS="5")


async def test_a_folder_is_seen(api: Api, http: aiohttp.ClientSession, frames: Path) -> None:
    made = await new_camera(api, http)
    async with python_camera(made.data["wsUrl"], made.data["streamKey"], str(frames)):
        first, second = await made.moving()
        assert first.size == second.size == (160, 120)
    assert (await api("GET", f"/apps/live/ws-ingest/{made.data['id']}"))["data"]["lastSeenAt"] is not None


async def test_what_ffmpeg_reads_is_seen(api: Api, http: aiohttp.ClientSession) -> None:
    made = await new_camera(api, http)
    async with python_camera(made.data["wsUrl"], made.data["streamKey"], *SOURCE):
        first, _ = await made.moving()
        assert first.size == (320, 240)
        assert len(first.getcolors(100_000) or ()) > 100, "a test picture has many colours"


async def test_curl_posts_what_ffmpeg_reads(api: Api, http: aiohttp.ClientSession) -> None:
    made = await new_camera(api, http)
    url = made.data["wsUrl"].replace("ws://", "http://").replace("/ingest/ws", "/ingest/frame")
    async with shell_camera(url, made.data["streamKey"]):
        first, _ = await made.moving()
        assert first.size == (320, 240)


async def test_the_sketch_is_seen_and_keeps_away_with_an_old_key(
    api: Api, http: aiohttp.ClientSession, frames: Path, tmp_path: Path
) -> None:
    made = await new_camera(api, http)
    host, port = urlsplit(str(made.data["wsUrl"])).netloc.split(":")
    values = {"SERVER_HOST": host, "SERVER_PORT": port, "ROOM": made.data["room"], "STREAM_KEY": made.data["streamKey"]}
    program = build(tmp_path, **values, SERVER_TLS=0)
    async with board(program, frames) as running_board:
        first, _ = await made.moving()
        assert first.size == (160, 120)
        await api("POST", f"/apps/live/ws-ingest/{made.data['id']}/rotate")

        async def refused() -> bool:
            return any(code in {401, 4401} and wait >= 600_000 for code, wait in running_board.waits())

        await eventually(refused)


@pytest.mark.parametrize("status", [401, 409, 503])
async def test_refusals_are_waited_out(status: int, frames: Path) -> None:
    least = {401: 600, 409: 60, 503: 1}[status]
    async with device_server() as server:
        server.refusal = status
        url = f"ws://127.0.0.1:{server.port}/ingest/ws?app=live&room=door"
        async with python_camera(url, "wsk_x", str(frames)) as camera:
            logged = await camera.logged(f"refused with {status}; again in")
            assert float(logged.split()[-2]) >= least


@pytest.mark.parametrize("code", [4401, 4409, 1001])
async def test_ends_are_understood(code: int, frames: Path) -> None:
    least = {4401: 600, 4409: 60, 1001: 0}[code]
    async with device_server() as server:
        server.close_after, server.close_code, server.limits = 3, code, {"maxFps": 10}
        url = f"ws://127.0.0.1:{server.port}/ingest/ws?app=live&room=door"
        async with python_camera(url, "wsk_x", str(frames)) as camera:
            logged = await camera.logged(f"closed with {code}; again in")
            assert float(logged.split()[-2]) >= least


async def test_it_keeps_to_the_limits_and_comes_back(frames: Path) -> None:
    async with device_server() as server:
        server.close_after, server.abort, server.limits = 5, True, {"maxFps": 5, "maxFrameBytes": 2000}
        url = f"ws://127.0.0.1:{server.port}/ingest/ws?app=live&room=door"
        async with python_camera(url, "wsk_x", str(frames)):

            async def again() -> bool:
                return len(server.tries) >= 2 and len(server.frames) > 5

            await eventually(again)
        times = [at for at, _ in server.frames]
        assert times[4] - times[0] > 0.7
    async with device_server() as server:
        server.limits = {"maxFrameBytes": 100}
        url = f"ws://127.0.0.1:{server.port}/ingest/ws?app=live&room=door"
        async with python_camera(url, "wsk_x", str(frames)) as camera:
            await camera.logged("too large")
        assert server.frames == []


async def test_a_refused_post_is_not_repeated(product: RunningProduct) -> None:
    url = f"{product.url}/ingest/frame?app=live&room=door"
    async with shell_camera(url, "wsk_nobody") as camera:
        assert await camera.logged("answered") == "answered 401; again in 600 s"


async def test_the_readme_makes_a_camera_and_sends(
    product: RunningProduct, api: Api, http: aiohttp.ClientSession
) -> None:
    make, python, shell = blocks(EXAMPLES / "README.md", "sh")
    answer = await run_shell(here(make, product), STAGEDOOR_KEY=product.api_key)
    data = json.loads(answer)["data"]
    link = (await api("POST", "/apps/live/rooms/door/links", {"page": "play"}))["data"]
    made = Made(data, link["url"].partition("token=")[2], http)
    assert data["wsUrl"] in here(python, product)
    for text in (python, shell):
        await gone(made)
        text = here(text, product).replace("wsk_…", data["streamKey"]).replace("python ", f"{sys.executable} ")
        async with device("sh", "-c", text):
            first, _ = await made.moving()
            assert first.size == (640, 480)


async def test_opencv_reads_it(
    product: RunningProduct, api: Api, http: aiohttp.ClientSession, frames: Path, tmp_path: Path
) -> None:
    made = await new_camera(api, http)
    snippets = blocks(DEVICES / "opencv.md", "python")
    assert len(snippets) == 2
    async with python_camera(made.data["wsUrl"], made.data["streamKey"], *SOURCE):
        await made.moving()
        for number, snippet in enumerate(snippets):
            file = tmp_path / f"snippet{number}.py"
            file.write_text(here(snippet, product).replace("live-door", made.data["room"]))
            printed = await run_program(sys.executable, str(file), CAMERA_TOKEN=made.token)
            sizes = [line for line in printed.splitlines() if line.startswith("320 x 240")]
            assert sizes, printed


async def test_home_assistant_gets_addresses_that_answer(
    product: RunningProduct, api: Api, http: aiohttp.ClientSession
) -> None:
    """Home Assistant itself is not run: its form's values are asked for, and its YAML is read."""
    made = await new_camera(api, http)
    page = (DEVICES / "home-assistant.md").read_text()
    (link,) = blocks(DEVICES / "home-assistant.md", "sh")
    link = here(link, product).replace("/rooms/door/", f"/rooms/{made.data['room']}/")
    answer = json.loads(await run_shell(link, STAGEDOOR_KEY=product.api_key))
    token = answer["data"]["url"].partition("token=")[2]
    for snippet in blocks(DEVICES / "home-assistant.md", "yaml"):
        assert yaml.safe_load(snippet)
    urls = set(re.findall(r"https://stagedoor\.example\.com/live/[^`\s\"']+", page))
    assert {urlsplit(url).path.rpartition("/")[2] for url in urls} == {"mjpeg", "frame.jpg"}
    async with python_camera(made.data["wsUrl"], made.data["streamKey"], *SOURCE):
        await made.moving()
        for url in urls:
            address = here(url, product).replace("live-door", made.data["room"]).replace("TOKEN", token)
            async with http.get(address) as answer:
                assert answer.status == 200, address
                beginning = await answer.content.readexactly(200)
            assert b"\xff\xd8\xff" in beginning


def blocks(page: Path, language: str) -> list[str]:
    """The page's code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.S)


def here(text: str, product: RunningProduct) -> str:
    """The text with the addresses of a running product."""
    host = product.url.removeprefix("http://")
    text = text.replace("https://stagedoor.example.com", product.url)
    return text.replace("127.0.0.1:8080", host)


async def gone(made: Made) -> None:
    async def no_picture() -> bool:
        return await made.picture() is None

    await eventually(no_picture, 60)


async def run_shell(text: str, **environment: str) -> str:
    return await run_program("sh", "-c", text, **environment)


async def run_program(*command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=clean_environment() | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


def test_they_are_as_short_as_examples_should_be() -> None:
    assert shutil.which("ffmpeg") is not None
    assert len((EXAMPLES / "camera.py").read_text().splitlines()) <= 120
    assert len((EXAMPLES / "camera.sh").read_text().splitlines()) <= 45
