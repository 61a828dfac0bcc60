"""A camera's connection: what it is told, what is taken from it, and why it ends."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from stagedoor.sources.cameras.intake import LARGEST_FRAME
from tests.support.api_feed import following
from tests.support.cameras import (
    Device,
    frame,
    is_live,
    mark_of,
    metric,
    new_device,
    plain,
    sending,
)
from tests.support.product import Api, RunningProduct, eventually


async def configure(api: Api, device: Device, **settings: object) -> None:
    await api("PATCH", f"/apps/{device.app}", {"settings": settings})


async def newest(http: aiohttp.ClientSession, device: Device) -> bytes:
    async with http.get(device.body["frameUrl"]) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def test_it_is_told_its_limits_first(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    async with sending(http, door) as camera:
        assert camera.ready == {
            "type": "ready", "room": f"{door.app}-door", "streamId": door.id, "maxFps": 30,
            "maxFrameBytes": 524_288, "idleTimeoutSec": 30,
        }  # fmt: skip
    await configure(managed_api, door, cameraMaxFps=5, cameraMaxFrameBytes=2048, cameraIdleTimeout="2s")
    async with sending(http, door) as camera:
        limits = [camera.ready[name] for name in ("maxFps", "maxFrameBytes", "idleTimeoutSec")]
        assert limits == [5, 2048, 2]


async def test_frames_pass_as_they_are_without_padding(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("a") + bytes(100))
        assert await newest(http, door) == frame("a")


async def test_its_pings_are_answered(http: aiohttp.ClientSession, door: Device) -> None:
    async with http.ws_connect(
        door.body["wsUrl"], headers={"Authorization": f"Bearer {door.key}"}, autoping=False
    ) as socket:
        await socket.receive_json()
        await socket.ping(b"there?")
        message = await socket.receive(5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"there?")


BAD = {
    "text": (b"", 1003),
    "nothing": (b"", 1003),
    "half": (plain()[: len(plain()) // 2], 1003),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), 1003),
    "absurd": (plain().replace(b"\x00\x30\x00\x40\x03", b"\xff\xff\xff\xff\x03"), 1003),
    "garbage after": (plain() + b"\x01", 1003),
    "big": (frame("big", size=524_289), 4413),
    "8 MiB": (frame("big", size=LARGEST_FRAME), 4413),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_no_frame_ends_the_connection(
    http: aiohttp.ClientSession, managed_api: Api, door: Device, what: str
) -> None:
    data, code = BAD[what]
    async with sending(http, door) as camera:
        await camera.send(frame("good"))
        if what == "text":
            await camera.socket.send_str("hello")
        else:
            await camera.send(data)
        assert await camera.closed() == code
    await is_live(managed_api, door, False)
    async with sending(http, door) as camera:  # and may come back
        await camera.send(frame("again"))
        assert mark_of(await newest(http, door)) == "again"


async def test_the_largest_frame_is_taken(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("large", size=524_288))
        assert len(await newest(http, door)) == 524_288
    await configure(managed_api, door, cameraMaxFrameBytes=LARGEST_FRAME)
    huge = frame("huge", size=LARGEST_FRAME)
    assert len(huge) == LARGEST_FRAME
    async with sending(http, door) as camera:
        await camera.send(huge)
        assert await newest(http, door) == huge


async def test_more_than_any_app_takes_is_too_big_as_well(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("huge", size=LARGEST_FRAME + 1))
        assert await camera.closed() == 4413


async def test_what_it_says_of_itself_is_shown(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("a"))
        for said in ({"rssi": -61, "heap": 120_000}, {"uptime": 3600, "firmware": "1.2é", "list": [1, None]}):
            await camera.socket.send_json({"type": "stats", **said})

            async def shown(expected: object = said) -> bool:
                return (await managed_api("GET", door.path))["data"]["stats"] == expected

            await eventually(shown)
    await is_live(managed_api, door, False)
    assert (await managed_api("GET", door.path))["data"]["stats"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"rssi":-61}',
        '{"type":"start"}',
        '{"type":"stats"',
        '{"type":"stats","a":' + "[" * 2000 + "]" * 2000 + "}",
        '{"type":"stats","note":"' + "x" * 4096 + '"}',
        '{"type":"stats","note":"' + "é" * 2100 + '"}',
    ],
)
async def test_any_other_text_ends_the_connection(http: aiohttp.ClientSession, door: Device, text: str) -> None:
    async with sending(http, door) as camera:
        await camera.socket.send_str(text)
        assert await camera.closed() == 1003


@pytest.mark.parametrize("value", ["1e999", "-1e400", "1" * 400, "1e-999", '"\\ud800"', '"\\u0000"', "NaN"])
async def test_odd_values_break_nothing(
    http: aiohttp.ClientSession, managed_api: Api, door: Device, value: str
) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("a"))
        await camera.socket.send_str(f'{{"type":"stats","odd":{value}}}')
        await camera.socket.ping()
        assert (await managed_api("GET", door.path))["data"]["id"] == door.id
        assert len((await managed_api("GET", f"/apps/{door.app}/ws-ingest"))["data"]) == 1


async def test_frames_over_the_rate_are_dropped_and_counted_and_never_queued(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await configure(managed_api, door, cameraMaxFps=10)
    name = 'stagedoor_camera_dropped_frames_total{reason="rate"}'
    before = await metric(http, managed_product.url, name)
    async with following(http, managed_product.url, managed_product.api_key, door.app) as events:
        async with sending(http, door) as camera:
            await camera.send(*(frame(str(number)) for number in range(30)))
            shown = mark_of(await newest(http, door))
        online, offline = await anext(events), await anext(events)
    assert online.type == "camera.online"
    detail = offline.data["detail"]
    assert detail["frames"] + detail["dropped"] == 30
    assert 5 <= detail["frames"] <= 10  # half a second's worth at once, and what the sending took
    assert int(shown) < 10
    assert await metric(http, managed_product.url, name) == before + detail["dropped"]


async def test_who_sends_nothing_is_ended(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    await configure(managed_api, door, cameraIdleTimeout="4s")
    second = await new_device(managed_api, door.app, "second")
    loop = asyncio.get_running_loop()

    async def silent() -> float:
        async with sending(http, door) as camera:
            began = loop.time()
            await camera.socket.send_json({"type": "stats", "rssi": 1})  # which is no frame
            assert await camera.closed() == 4408  # an app's own is half a minute
            return loop.time() - began

    async def one_frame() -> float:
        async with sending(http, second) as camera:
            began = loop.time()
            await asyncio.sleep(2)
            await camera.send(frame("a"))
            assert await camera.closed() == 4408
            return loop.time() - began

    first, later = await asyncio.gather(silent(), one_frame())
    assert first > 3.9
    assert later > 5.9
