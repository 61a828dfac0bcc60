"""What the pages about encoders say, as it stands there, against the real product."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.api_tenant import fresh
from tests.support.gst_rtsp import H264, MU_LAW, rtsp_server
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, eventually, running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DEVICES = ROOT / "docs" / "how-to" / "devices"
SOURCE = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    with running(tmp_path_factory.mktemp("encoders"), STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}") as started:
        yield started


@pytest.fixture
def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `recording.mp4` of eight seconds, with H.264 without B-frames and AAC."""
    folder = tmp_path_factory.mktemp("recording")
    command = ["ffmpeg", "-v", "error", *SOURCE, "-t", "8", "-c:v", "libx264", "-tune", "zerolatency", "-g", "25"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"]
    subprocess.run([*command, str(folder / "recording.mp4")], check=True)
    return folder


def commands(page: str) -> list[str]:
    """The blocks of shell on a page."""
    return re.findall(r"```sh\n(.*?)```", (DEVICES / page).read_text(), flags=re.S)


@contextlib.asynccontextmanager
async def shell(command: str, folder: Path, **variables: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A command of a page while it runs."""
    process = await asyncio.create_subprocess_shell(
        f"exec {command}",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=os.environ | variables,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def create(api: Api) -> dict[str, Any]:
    return (await api("POST", "/apps/live/ingress", {"inputType": "rtmp", "room": fresh("stage")}))["data"]


async def published(api: Api, made: dict[str, Any], *, sound: bool = True) -> dict[str, Any]:
    """The state of an ingress whose picture, and sound, are in the room."""

    async def look() -> dict[str, Any] | None:
        state = (await api("GET", f"/apps/live/ingress/{made['ingressId']}"))["data"]["state"]
        ready = state["status"] == "publishing" and state["video"] and (state["audio"] or not sound)
        return state if ready else None

    return await eventually(look)


def passed(state: dict[str, Any]) -> None:
    assert (state["video"]["codec"], state["video"]["passthrough"], state["video"]["reason"]) == ("h264", True, None)


@pytest.mark.parametrize(("number", "sound"), [(0, True), (1, True), (3, False)])
async def test_ffmpeg_as_on_its_page(number: int, sound: bool, api: Api, recording: Path) -> None:
    made = await create(api)
    command = commands("ffmpeg.md")[number]
    async with shell(command, recording, URL=made["url"], STREAM_KEY=made["streamKey"]):
        passed(await published(api, made, sound=sound))


async def test_a_camera_that_ffmpeg_passes_on(api: Api, tmp_path: Path) -> None:
    made = await create(api)
    async with rtsp_server(H264 + MU_LAW) as camera:
        given = {"CAMERA": camera.url, "URL": made["url"], "STREAM_KEY": made["streamKey"]}
        async with shell(commands("ffmpeg.md")[2], tmp_path, **given):
            passed(await published(api, made))


async def test_gstreamer_as_on_its_page(api: Api, tmp_path: Path) -> None:
    made = await create(api)
    command = commands("native.md")[2]
    async with shell(command, tmp_path, URL=made["url"], STREAM_KEY=made["streamKey"]):
        passed(await published(api, made))


@pytest.fixture(scope="module", params=["gcc -std=c11", "g++ -x c++"])
def program(request: pytest.FixtureRequest, recording: Path) -> Path:
    """`push`, compiled as the page says, beside the recording."""
    command = commands("native.md")[0].replace("cc ", f"{request.param} -Werror ", 1)
    command = command.replace("-o push", f"-o {recording / 'push'}")
    subprocess.run(command, shell=True, check=True, cwd=ROOT)
    return recording


async def test_a_native_program_sends_a_recording(program: Path, api: Api) -> None:
    made = await create(api)
    command = commands("native.md")[1]
    async with shell(command, program, URL=made["url"], STREAM_KEY=made["streamKey"]) as process:
        passed(await published(api, made))
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_a_native_program_with_a_wrong_key_ends_with_an_error(program: Path, api: Api) -> None:
    made = await create(api)
    command = commands("native.md")[1]
    async with shell(command, program, URL=made["url"], STREAM_KEY="stk_wrong") as process:
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"the server did not take the stream" in errors
    assert b"No ingress has this key" in errors
