"""The commands of docs/how-to/ingest.md, as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.gst_rtsp import H264, rtsp_server
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, eventually, running

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "ingest.md"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    with running(
        tmp_path_factory.mktemp("howto"),
        STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}",
        STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8",
    ) as made:
        yield made


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.S)


async def test_an_encoder_in_two_steps(product: RunningProduct, http: aiohttp.ClientSession) -> None:
    create, push, rotate, *_ = commands()
    words = shlex.split(create, comments=True)
    assert words[0] == "stagedoor"
    command = product.command(*words[1:], "--json")
    made: dict[str, Any] = json.loads(
        await asyncio.to_thread(subprocess.check_output, command, env=product.environment())
    )
    given = os.environ | {"URL": made["url"], "STREAM_KEY": made["streamKey"]}
    quiet = subprocess.DEVNULL
    encoder = await asyncio.create_subprocess_shell(f"exec {push}", stdin=quiet, stdout=quiet, stderr=quiet, env=given)
    api = Api(http, product.url, product.api_key)

    async def publishing() -> Any:
        state = (await api("GET", f"/apps/live/ingress/{made['ingressId']}"))["data"]["state"]
        return state if state["status"] == "publishing" and state["audio"] else None

    try:
        state = await eventually(publishing)
        assert (state["video"]["width"], state["video"]["passthrough"], state["video"]["reason"]) == (1280, True, None)
        words = shlex.split(rotate.replace("$INGRESS", made["ingressId"]), comments=True)
        command = product.command(*words[1:], "--json")
        renewed = json.loads(await asyncio.to_thread(subprocess.check_output, command, env=product.environment()))
        assert renewed["streamKey"] != made["streamKey"]
        await asyncio.wait_for(encoder.wait(), 60)  # its stream has ended
    finally:
        if encoder.returncode is None:
            encoder.terminate()
        await encoder.wait()


async def test_a_look_at_a_camera(product: RunningProduct) -> None:
    words = shlex.split(commands()[4], comments=True)
    assert words[:3] == ["stagedoor", "ingress", "probe"]
    async with rtsp_server(H264, user="user", password="password") as camera:
        url = words[3].replace("camera.example.com/stream1", f"127.0.0.1:{camera.port}/cam")
        command = product.command("ingress", "probe", url, *words[4:], "--json")
        found = json.loads(await asyncio.to_thread(subprocess.check_output, command, env=product.environment()))
    assert (found["video"]["passthrough"], found["error"]) == (True, None)


async def test_a_camera_by_its_url(product: RunningProduct) -> None:
    words = shlex.split(commands()[3], comments=True)
    command = product.command(*words[1:], "--json")
    made = json.loads(await asyncio.to_thread(subprocess.check_output, command, env=product.environment()))
    assert made["url"] == "rtsp://***@camera.example.com/stream1"
