"""Encoders push to the running product, and become participants of LiveKit's room."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, clean_environment, running
from tests.support.rtmp_pushing import ffmpeg, pyav_push

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def rtmp_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    with running(tmp_path_factory.mktemp("rtmp"), STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}") as product:
        yield product


@pytest.fixture
async def rtmp_api(rtmp_product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, rtmp_product.url, rtmp_product.api_key)


async def push(command: list[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


async def ended(process: asyncio.subprocess.Process) -> str:
    """End a program; what it wrote."""
    if process.returncode is None:
        process.terminate()
    _, errors = await process.communicate()
    return errors.decode()


async def until(look: Callable[[], Awaitable[Any]], right: Callable[[Any], bool]) -> Any:
    """Look until it is right; the test's own time-out is the limit."""
    while not right(found := await look()):  # noqa: ASYNC110 - another process is looked at
        await asyncio.sleep(0.2)
    return found


def has_both(state: dict[str, Any]) -> bool:
    """Whether it publishes both tracks, one of which begins first."""
    return state["status"] == "publishing" and state["video"] is not None and state["audio"] is not None


async def made(api: Api, room: str, **more: Any) -> dict[str, Any]:
    return (await api("POST", "/apps/live/ingress", {"inputType": "rtmp", "room": room, **more}))["data"]


def state_of(api: Api, ingress: dict[str, Any]) -> Callable[[], Awaitable[Any]]:
    async def look() -> Any:
        return (await api("GET", f"/apps/live/ingress/{ingress['ingressId']}"))["data"]["state"]

    return look


async def test_the_ready_line_and_an_ingress_have_the_address(rtmp_product: RunningProduct, rtmp_api: Api) -> None:
    assert rtmp_product.ready["rtmp"].startswith("rtmp://127.0.0.1:")
    ingress = await made(rtmp_api, "address")
    assert ingress["url"] == rtmp_product.ready["rtmp"]


async def test_an_encoder_becomes_a_participant_and_leaves(rtmp_api: Api) -> None:
    ingress = await made(rtmp_api, "stage")
    process = await push(ffmpeg(f"{ingress['url']}/{ingress['streamKey']}", 60, "-bf", "0", "-tune", "zerolatency"))
    try:
        state = await until(state_of(rtmp_api, ingress), has_both)
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("h264", True)
        assert state["audio"]["codec"] == "aac"
        sid = await until(state_of(rtmp_api, ingress), lambda state: state["participantSid"] is not None)
        assert sid["participantSid"].startswith("PA_")
    finally:
        await ended(process)
    await until(state_of(rtmp_api, ingress), lambda state: state["status"] == "inactive")


async def test_hevc_by_enhanced_rtmp_is_published(rtmp_api: Api) -> None:
    ingress = await made(rtmp_api, "hevc")
    process = await push(pyav_push(f"{ingress['url']}/{ingress['streamKey']}", 60, "hevc", "aac"))
    try:
        state = await until(state_of(rtmp_api, ingress), has_both)
        assert state["video"]["codec"] == "hevc"
    finally:
        await ended(process)


async def test_a_key_that_was_renewed_ends_the_stream_at_once_and_is_refused(rtmp_api: Api) -> None:
    ingress = await made(rtmp_api, "renewed")
    url = f"{ingress['url']}/{ingress['streamKey']}"
    process = await push(ffmpeg(url, 60, "-bf", "0"))
    try:
        await until(state_of(rtmp_api, ingress), lambda state: state["status"] == "publishing")
        await rtmp_api("POST", f"/apps/live/ingress/{ingress['ingressId']}/rotate")
        _, errors = await process.communicate()
        assert process.returncode != 0, errors.decode()
    finally:
        await ended(process)
    refused = await push(ffmpeg(url, 5))
    _, errors = await refused.communicate()
    assert "No ingress has this key" in errors.decode()


async def test_an_encoder_that_came_back_goes_on_as_the_same_participant(rtmp_api: Api) -> None:
    """Case N07."""
    ingress = await made(rtmp_api, "takeover")
    command = ffmpeg(f"{ingress['url']}/{ingress['streamKey']}", 60, "-bf", "0")
    first = await push(command)
    second = None
    try:
        look = state_of(rtmp_api, ingress)
        before = await until(look, lambda state: state["participantSid"] is not None and state["lastFrameAt"])
        second = await push(command)
        _, errors = await first.communicate()
        assert first.returncode != 0, errors.decode()
        taken_at = datetime.now(UTC).isoformat()
        after = await until(look, lambda state: state["lastFrameAt"] > taken_at)
        for field in ("status", "participantSid", "startedAt", "restarts"):
            assert after[field] == before[field], field
        there = (await rtmp_api("GET", "/apps/live/rooms/takeover/participants"))["data"]
        assert [person["sid"] for person in there] == [before["participantSid"]]
    finally:
        await ended(first)
        if second is not None:
            await ended(second)
    await until(state_of(rtmp_api, ingress), lambda state: state["status"] == "inactive")


async def test_an_encoder_that_came_back_with_another_picture_is_published(rtmp_api: Api) -> None:
    ingress = await made(rtmp_api, "resized")
    url = f"{ingress['url']}/{ingress['streamKey']}"
    first, second = await push(ffmpeg(url, 60, "-bf", "0")), None
    try:
        look = state_of(rtmp_api, ingress)
        before = await until(look, lambda state: state["participantSid"] is not None)
        second = await push(ffmpeg(url, 60, "-bf", "0", "-s", "160x120"))
        await first.communicate()
        after = await until(look, lambda state: state["video"] and state["video"]["width"] == 160)
        assert after["startedAt"] == before["startedAt"]
        await until(look, lambda state: state["participantSid"] != before["participantSid"])
    finally:
        await ended(first)
        if second is not None:
            await ended(second)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    (http,) = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [*RunningProduct.executable(), "up", "--json", "--data-dir", str(tmp_path)]
        done = subprocess.run(
            [*command, "--http", f"127.0.0.1:{http}", "--rtmp", address],
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_environment() | {"HOME": os.environ.get("HOME", "/")},
            check=False,
        )
    assert done.returncode == 1
    assert address in done.stderr
    assert "--rtmp" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rtmp_the_ready_line_says_null(managed_product: RunningProduct) -> None:
    assert managed_product.ready["rtmp"] is None
