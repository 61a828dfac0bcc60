"""`ingress probe`: a look at a URL through the API and the command line, and its bounds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stagedoor.kernel.errors import Invalid, TooMany, Unavailable
from stagedoor.sources.pull import probes
from stagedoor.sources.pull.probes import Probes
from stagedoor.sources.pull.settings import PullSettings
from stagedoor.streams.media.protocol import Inspected
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App
from tests.support.api_tenant import new_app
from tests.support.gst_rtsp import H264, H265, MU_LAW, rtsp_server
from tests.support.product import Api, RunningProduct, running

pytestmark = pytest.mark.slow

CAMERA = "rtsp://camera.example.com/1"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("probe"), STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8") as made:
        yield made


@pytest.fixture
async def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


async def probed(api: Api, app: str, url: str) -> dict[str, Any]:
    return (await api("POST", f"/apps/{app}/ingress/probe", {"url": url}, expect=200))["data"]


async def test_what_a_probe_finds_is_what_an_ingress_publishes(product: RunningProduct, api: Api) -> None:
    app = await new_app(api)
    async with rtsp_server(H265 + MU_LAW, user="admin", password="hunter2") as camera:
        found = await probed(api, app, camera.url)
        body = {"inputType": "url", "room": "gate", "url": camera.url}
        made = (await api("POST", f"/apps/{app}/ingress", body, expect=201))["data"]
        state: dict[str, Any] = {"video": None}
        while state["video"] is None or state["audio"] is None:
            state = (await api("GET", f"/apps/{app}/ingress/{made['ingressId']}"))["data"]["state"]
            await asyncio.sleep(0.2)
        await api("DELETE", f"/apps/{app}/ingress/{made['ingressId']}", expect=204)
    assert (found["protocol"], found["transport"], found["format"], found["live"]) == ("rtsp", "tcp", "rtsp", True)
    assert found["url"] == f"rtsp://***@127.0.0.1:{camera.port}/cam"
    assert found["error"] is None
    for name in ("codec", "profile", "width", "height", "passthrough", "reason"):
        assert found["video"][name] == state["video"][name]
    for name in ("codec", "sampleRate", "channels", "passthrough"):
        assert found["audio"][name] == state["audio"][name]
    assert (found["video"]["bFrames"], found["advice"]) == (False, ["Set the encoder to H.264."])
    assert "hunter2" not in product.log


async def test_what_cannot_be_pulled_is_refused_and_what_cannot_be_read_is_an_answer(api: Api) -> None:
    app = await new_app(api)
    path = f"/apps/{app}/ingress/probe"
    wrong = await api("POST", path, {"url": "srt://127.0.0.1/x"}, expect=422)
    assert wrong["code"] == "unknown_scheme"
    private = await probed(api, app, "rtsp://admin:hunter2@192.168.77.1/cam?token=hunter2")
    assert private["error"]["code"] == "address_not_allowed"
    assert "pull_allowed_networks" in private["error"]["message"]
    assert (private["url"], private["video"]) == ("rtsp://***@192.168.77.1/cam?token=***", None)
    assert "hunter2" not in json.dumps(private)


async def test_a_limit_of_the_app_is_named(api: Api) -> None:
    app = await new_app(api)
    await api("PATCH", f"/apps/{app}", {"settings": {"ingressMaxWidth": 160}}, expect=200)
    async with rtsp_server(H264) as camera:
        found = await probed(api, app, camera.url)
    assert found["error"]["code"] == "limit_exceeded"
    assert "ingressMaxWidth" in found["error"]["message"]
    assert found["video"]["width"] == 320


async def test_a_probe_under_way_does_not_hold_up_the_end_and_is_answered(tmp_path: Path) -> None:
    connected = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as silent, aiohttp.ClientSession() as http:
        url = f"rtsp://127.0.0.1:{silent.sockets[0].getsockname()[1]}/x"
        product = RunningProduct(tmp_path, STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8")
        await asyncio.to_thread(product.start)
        api = Api(http, product.url, product.api_key)
        asking = asyncio.create_task(api("POST", "/apps/live/ingress/probe", {"url": url}, expect=503))
        await connected.wait()
        await asyncio.to_thread(product.stop)
        assert (await asking)["code"] == "media_workers_stopping"


async def test_the_command_line(product: RunningProduct) -> None:
    async def run(*words: str) -> tuple[int | None, Any]:
        command = product.command("ingress", "probe", *words, "--json")
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=product.environment())
        printed, _ = await process.communicate()
        return process.returncode, json.loads(printed)

    async with rtsp_server(H264) as camera:
        code, found = await run(camera.url)
    assert (code, found["video"]["passthrough"]) == (0, True)
    code, found = await run(camera.url)
    assert code == 1
    assert "cannot be reached" in found["error"]["message"]


class Slow(MediaWorkers):
    """Looks at nothing, for as long as it takes."""

    def __init__(self) -> None:
        super().__init__(MediaWorkerSettings())
        self.over = asyncio.Event()

    async def inspect(self, order: Any) -> Inspected:
        await self.over.wait()
        return Inspected()


def app_of(number: int, organisation: int) -> App:
    return App(f"app_{number}", f"org_{organisation}", f"app{number}", "", 0, 0)


@asynccontextmanager
async def under_way(*apps: tuple[int, int]) -> AsyncGenerator[Probes]:
    """With a probe of each of these apps."""
    workers = Slow()
    made = Probes(workers, PullSettings())
    tasks = [asyncio.create_task(made.probe(app_of(*one), CAMERA)) for one in apps]
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        workers.over.set()
        await asyncio.gather(*tasks)
        await made.probe(app_of(*apps[0]), CAMERA)  # as if nothing had been


async def test_an_app_has_only_so_many_probes_at_a_time() -> None:
    async with under_way((1, 1), (1, 1)) as made:
        with pytest.raises(TooMany, match="This app has 2"):
            await made.probe(app_of(1, 1), CAMERA)


async def test_an_organisation_has_only_so_many_probes_at_a_time() -> None:
    async with under_way((1, 1), (1, 1), (2, 1), (2, 1)) as made:
        with pytest.raises(TooMany, match="This organisation has 4"):
            await made.probe(app_of(3, 1), CAMERA)


async def test_a_node_has_only_so_many_probes_at_a_time() -> None:
    async with under_way(*((number, number // 2) for number in range(8))) as made:
        with pytest.raises(Unavailable, match="This node has 8"):
            await made.probe(app_of(9, 9), CAMERA)


async def test_an_organisation_has_only_so_many_probes_in_a_minute() -> None:
    workers = Slow()
    workers.over.set()
    made = Probes(workers, PullSettings())
    refused: TooMany | None = None
    for number in range(2 * probes.PER_MINUTE + 1):  # a minute may end in between
        try:
            await made.probe(app_of(number, 1), CAMERA)
        except TooMany as error:
            refused = error
            break
        assert number < 2 * probes.PER_MINUTE
    assert refused is not None
    assert "in this minute" in str(refused)
    assert int(refused.headers["Retry-After"]) >= 1
    await made.probe(app_of(1, 2), CAMERA)


async def test_what_is_no_url_is_refused_at_once() -> None:
    with pytest.raises(Invalid):
        await Probes(Slow(), PullSettings()).probe(app_of(1, 1), "file:///etc/passwd")
