"""Other people's MJPEG cameras are cameras like ours: seen by every way out, on a real product."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
from collections.abc import Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stagedoor.sources.pull.runner import IDLE_SECONDS
from tests.sources.pull.test_pulls import Pulled, pulling
from tests.support import watching as by_webrtc
from tests.support.api_feed import following
from tests.support.api_participant import token_for
from tests.support.api_tenant import new_app
from tests.support.browser import chromium, visitor
from tests.support.cameras import Device, frame, mark_of, new_device, sending, watching
from tests.support.http_camera import Request, answer, ffmpeg_camera, http_camera, moving
from tests.support.jpegs import GREEN, jpeg
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, eventually, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("pictures"), STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8") as made:
        yield made


@pytest.fixture
async def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


async def public_app(api: Api, **settings: Any) -> str:
    return await new_app(api, playbackPolicy="public", **settings)


def seen(product: RunningProduct, app: str, pulled: Pulled) -> Device:
    """Where a pulled camera is seen."""
    url = f"{product.url}/live/{app}/{pulled.made['roomName']}"
    socket = f"ws{product.url.removeprefix('http')}/live/ws?app={app}&room={pulled.made['roomName']}"
    return Device(app, {"mjpegUrl": f"{url}/mjpeg", "frameUrl": f"{url}/frame.jpg", "viewerWsUrl": socket})


async def test_it_is_seen_by_every_way_out_unchanged_and_is_on_the_bill(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await public_app(api, cameraBridge="off")
    sent: dict[str, bytes] = {}

    def make(number: int) -> bytes:
        picture = jpeg(64, 48, GREEN, number)
        sent[str(len(sent))] = picture
        return picture

    async with (
        following(http, product.url, product.api_key, app, after=0) as events,
        http_camera(moving(20, make)) as camera,
    ):
        pulled = await pulling(api, app, camera.url.replace("//", "//admin:hidden-word@"))
        state = await pulled.published()
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("mjpeg", True)
        assert (state["video"]["width"], state["video"]["height"], state["audio"]) == (64, 48, None)
        measured = await pulled.until(lambda state: state["video"] and state["video"]["fps"])
        assert measured["video"]["bitrate"] > 0
        assert measured["lastFrameAt"]
        assert "hidden-word" not in str(await api("GET", pulled.path))

        place = seen(product, app, pulled)
        async with watching(http, place) as stream:
            for _ in range(50):  # usage is rounded to ten-thousandths of a minute
                assert (await stream.part()).data in sent.values()
        async with http.get(place.body["frameUrl"]) as picture:
            assert await picture.read() in sent.values()
        async with http.ws_connect(place.body["viewerWsUrl"]) as socket:
            assert (await socket.receive()).data in sent.values()
        async with http.get(place.body["mjpegUrl"].removesuffix("/mjpeg")) as live:
            assert (await live.json())["data"]["live"] is True
        await api("DELETE", pulled.path, expect=204)
        await eventually(lambda: asyncio.sleep(0, not camera.open))
        types: list[str] = []
        while "ingress.ended" not in types:
            types.append((await anext(events)).type)
        assert [one for one in types if one.startswith("ingress.")] == ["ingress.started", "ingress.ended"]

    async def billed() -> Any:
        rows = (await api("GET", f"/usage?group=app&bucket=all&app={app}"))["data"]
        return rows and rows[0]["usage"]["cameraMinutes"] > 0 and rows[0]["usage"]["viewerMinutes"] > 0

    await eventually(billed)


async def test_ffmpeg_is_seen_by_curl_by_chromium_and_by_a_participant(api: Api, product: RunningProduct) -> None:
    app = await public_app(api)
    async with ffmpeg_camera() as url:
        pulled = await pulling(api, app, url)
        place = seen(product, app, pulled)
        await pulled.published()
        curl = await asyncio.create_subprocess_exec(
            *("curl", "-s", "-N", "--max-time", "3", place.body["mjpegUrl"]), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await curl.communicate()
        assert output.count(b"\xff\xd9\r\n--frame") > 5
        async with chromium() as browser, visitor(browser) as person:
            page = person.page
            await page.goto(place.body["mjpegUrl"], wait_until="commit")
            image = page.locator("img")
            await image.wait_for()
            await eventually(lambda: image.evaluate("image => image.naturalWidth == 320"))
            before = await page.screenshot()

            async def moved() -> bool:
                return await page.screenshot() != before

            await eventually(moved)
        room = pulled.made["roomName"]
        token = await token_for(api, app, room, "viewer")
        async with by_webrtc.watching(token["wsUrl"], token["token"]) as watcher:
            found = await watcher.until(lambda picture: (picture.width, picture.height) == (320, 240), count=20)
            assert len({picture.bar for picture in found}) > 1 or len({picture.colour for picture in found}) > 1
            (camera,) = watcher.room.remote_participants.values()
            assert camera.identity == pulled.made["participantIdentity"]
            assert camera.attributes["stagedoor.source"] == "http"


async def test_viewers_stay_while_the_camera_is_away_and_its_participant_as_well(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await public_app(api)
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        async with http_camera(moving(), port) as camera:
            pulled = await pulling(api, app, camera.url)
            await pulled.published()
            token = await token_for(api, app, pulled.made["roomName"], "viewer")
            watcher = await stack.enter_async_context(by_webrtc.watching(token["wsUrl"], token["token"]))
            stream = await stack.enter_async_context(watching(http, seen(product, app, pulled)))
            await watcher.until(lambda picture: picture.width == 64, count=3)
            (participant,) = watcher.room.remote_participants.values()
        state = await pulled.until(lambda state: state["status"] == "reconnecting")
        assert state["error"]["code"] == "source_failed"
        await stack.enter_async_context(http_camera(moving(make=lambda number: frame(f"again {number}")), port))
        await pulled.published()
        await stream.until("again 5")
        await watcher.until(lambda picture: picture.width == 64, count=3)
        assert [one.sid for one in watcher.room.remote_participants.values()] == [participant.sid]


async def test_on_demand_a_viewer_of_frames_begins_it_and_it_ends_after_the_last(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await public_app(api)
    async with http_camera(moving()) as camera:
        pulled = await pulling(api, app, camera.url, start="demand")
        place = seen(product, app, pulled)
        assert not camera.requests
        async with watching(http, place) as stream:
            assert mark_of((await stream.part()).data)
            await pulled.published()
        await pulled.until(lambda state: state["status"] == "inactive", 3 * IDLE_SECONDS)
        await eventually(lambda: asyncio.sleep(0, not camera.open))


async def test_a_snapshot_waits_for_a_camera_on_demand(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await public_app(api)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(jpeg(64, 48, GREEN)))

    async with http_camera(script) as camera:
        pulled = await pulling(api, app, camera.url, start="demand")
        async with http.get(seen(product, app, pulled).body["frameUrl"], params={"wait": "20"}) as picture:
            assert picture.status == 200
            assert await picture.read() == jpeg(64, 48, GREEN)


async def test_a_camera_that_pushes_keeps_its_room(api: Api, http: aiohttp.ClientSession) -> None:
    app = await public_app(api)
    device = await new_device(api, app, "gate")
    async with sending(http, device) as sender, http_camera(moving()) as camera:
        await sender.send(jpeg(64, 48, GREEN))
        pulled = await pulling(api, app, camera.url, room="gate")
        state = await pulled.until(lambda state: state["error"] is not None)
        assert state["error"]["code"] == "room_has_camera"
        async with watching(http, device) as stream:
            assert (await stream.part()).data == jpeg(64, 48, GREEN)


async def test_what_is_no_picture_goes_through_a_media_worker(api: Api) -> None:
    app = await public_app(api)
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "20", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", "-f", "mpegts", "-"),
        stdout=asyncio.subprocess.PIPE,
    )
    movie, _ = await process.communicate()

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(movie, "video/mp2t"))

    async with http_camera(script) as camera:
        pulled = await pulling(api, app, camera.url)
        state = await pulled.published()
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("h264", True)


async def test_transcoding_always_leaves_pictures_to_a_media_worker(api: Api) -> None:
    app = await public_app(api)
    async with ffmpeg_camera() as url:
        pulled = await pulling(api, app, url, transcoding="always")
        state = await pulled.published()
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("mjpeg", False)


async def test_a_probe_says_that_pictures_are_passed_on(api: Api) -> None:
    app = await public_app(api)
    async with http_camera(moving(make=lambda number: jpeg(64, 48, GREEN, number))) as camera:
        found = (await api("POST", f"/apps/{app}/ingress/probe", {"url": camera.url}))["data"]
    assert (found["video"]["codec"], found["video"]["passthrough"], found["video"]["reason"]) == ("mjpeg", True, None)
    assert found["advice"] == []


async def test_of_pictures_without_their_type_probe_and_pull_say_the_same(api: Api) -> None:
    app = await public_app(api)
    async with ffmpeg_camera(typed=False) as url:
        found = (await api("POST", f"/apps/{app}/ingress/probe", {"url": url}))["data"]
        state = await (await pulling(api, app, url)).published()
    assert (found["format"], found["error"]) == ("mjpeg", None)
    for video in (found["video"], state["video"]):
        assert (video["codec"], video["width"], video["passthrough"]) == ("mjpeg", 320, True)


async def test_the_command_of_the_page(api: Api, product: RunningProduct) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "cameras.md").read_text()
    section = page.partition("## A camera that serves MJPEG itself\n")[2]
    (command,) = re.findall(r"```sh\n(.*?)```", section.partition("\n## ")[0], flags=re.S)
    async with http_camera(moving()) as camera:
        words = shlex.split(command.replace("camera.example.com/video.mjpg", f"127.0.0.1:{camera.port}/video.mjpg"))
        made = json.loads(
            await asyncio.to_thread(
                subprocess.check_output, product.command(*words[1:], "--json"), env=product.environment()
            )
        )
        assert made["url"] == f"http://***@127.0.0.1:{camera.port}/video.mjpg"
        state = await Pulled(api, "live", made).published()
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("mjpeg", True)
