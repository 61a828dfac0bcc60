"""A camera's connection: what it is sent, what is taken from it, and why it ends."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import suppress

import aiohttp
import pytest

from stagedoor.sources.cameras.intake import LARGEST_FRAME
from tests.support.api_feed import following
from tests.support.cameras import (
    Device,
    bearer,
    frame,
    is_live,
    mark_of,
    metric,
    new_device,
    plain,
    sending,
    watching,
)
from tests.support.product import Api, RunningProduct, eventually


async def configure(api: Api, device: Device, **settings: object) -> None:
    await api("PATCH", f"/apps/{device.app}", {"settings": settings})


async def newest(http: aiohttp.ClientSession, device: Device) -> bytes:
    async with http.get(device.body["frameUrl"]) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def test_a_camera_gets_its_limits_first(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
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
    "half": (plain()[: len(plain()) // 2], "not_jpeg", "it breaks off"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "not_jpeg", "it is a PNG"),
    "absurd": (
        plain().replace(b"\x00\x30\x00\x40\x03", b"\xff\xff\xff\xff\x03"),
        "not_jpeg",
        "its size, 65535 by 65535",
    ),
    "dummy byte": (b"\x00" + plain(), "not_jpeg", "1 byte stands before"),
    "base64": (b64encode(plain()), "not_jpeg", "it is a JPEG as base64 text"),
    "big": (frame("big", size=524_289), "too_big", "the frame has 524289 bytes, and 524288 is the most"),
    "8 MiB": (frame("big", size=LARGEST_FRAME), "too_big", "the frame has 8388608 bytes"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_frame_costs_that_frame_and_nothing_else(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, door: Device, what: str
) -> None:
    data, reason, words = BAD[what]
    name = f'stagedoor_camera_dropped_frames_total{{reason="{reason}"}}'
    before = await metric(http, managed_product.url, name)
    async with following(http, managed_product.url, managed_product.api_key, door.app) as events:
        async with sending(http, door) as camera, watching(http, door) as stream:
            await camera.send(frame("good"))
            await stream.until("good")
            await camera.send(data)
            said = await camera.socket.receive_json(timeout=5)
            assert (said["type"], said["reason"], said["count"]) == ("dropped", reason, 1)
            assert said["message"].startswith(words)
            await camera.send(data, frame("again"))
            assert await stream.until("again") == ["again"]
            body = (await managed_api("GET", door.path))["data"]
            assert (body["live"], body["rejected"], body["lastRejection"]) == (True, 2, said["message"])
        assert [(await anext(events)).type for _ in range(2)] == ["camera.online", "camera.offline"]
    assert await metric(http, managed_product.url, name) == before + 2


async def test_the_reason_of_a_drop_is_sent_no_more_than_once_a_second(
    http: aiohttp.ClientSession, door: Device
) -> None:
    loop = asyncio.get_running_loop()
    async with sending(http, door) as camera:
        began = loop.time()
        await camera.send(*[b"nonsense"] * 10, frame("good"))
        assert (await camera.socket.receive_json(timeout=5))["count"] == 1
        assert mark_of(await newest(http, door)) == "good"
        passed = loop.time() - began
        told = 1
        with suppress(TimeoutError):
            while await camera.socket.receive(timeout=0.2):
                told += 1
        assert told <= 1 + passed


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


TEXTS = {
    "[]": "the text is JSON and no object",
    "null": "the text is JSON and no object",
    '{"rssi":-61}': "the text's type is 'None'",
    '{"type":"ping"}': "the text's type is 'ping'",
    "ping": "the text is not JSON",
    '{"type":"stats"': "the text is not JSON",
    '{"type":"stats","a":NaN}': "the text is not JSON",
    '{"type":"stats","a":1e400}': "a number in the text is larger than a double can hold",
    '{"type":"stats","a":' + "[" * 2000 + "]" * 2000 + "}": "the text is nested too deeply",
    '{"type":"stats","note":"' + "x" * 4071 + '"}': "the text has 4097 bytes, and 4096 is the most",
    '{"type":"stats","note":"' + "é" * 2100 + '"}': "the text has 4226 bytes",
    b64encode(plain()).decode(): "it is a JPEG as base64 text",
}


@pytest.mark.parametrize("text", TEXTS)
async def test_any_other_text_is_reported_and_does_not_end_the_connection(
    http: aiohttp.ClientSession, door: Device, text: str
) -> None:
    async with sending(http, door) as camera:
        await camera.socket.send_str(text)
        said = await camera.socket.receive_json(timeout=5)
        assert (said["type"], said["reason"]) == ("dropped", "not_stats")
        assert said["message"].startswith(TEXTS[text])
        await camera.send(frame("after"))
        assert mark_of(await newest(http, door)) == "after"


AROUND = [
    '\ufeff{"type":"stats","rssi":1}',
    '{"type":"stats","rssi":1}\x00',
    '{"type":"stats",\r\n"rssi":1}\r\n',
]


@pytest.mark.parametrize("text", AROUND)
async def test_what_printf_and_editors_put_around_stats_is_no_matter(
    http: aiohttp.ClientSession, managed_api: Api, door: Device, text: str
) -> None:
    async with sending(http, door) as camera:
        await camera.socket.send_str(text)

        async def shown() -> bool:
            return (await managed_api("GET", door.path))["data"]["stats"] == {"rssi": 1}

        await eventually(shown)


async def test_empty_messages_and_unsolicited_pongs_have_no_effect(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    async with sending(http, door) as camera:
        await camera.socket.send_str("")
        await camera.send(b"")
        await camera.socket.pong(b"there")
        await camera.send(frame("after"))
        assert mark_of(await newest(http, door)) == "after"
        assert (await managed_api("GET", door.path))["data"]["rejected"] == 0


async def test_a_protocol_that_arduino_asks_for_is_chosen(http: aiohttp.ClientSession, door: Device) -> None:
    async with http.ws_connect(door.body["wsUrl"], headers=bearer(door.key), protocols=("arduino", "other")) as socket:
        assert socket.protocol == "arduino"
        assert (await socket.receive_json())["type"] == "ready"
        async with http.ws_connect(door.body["viewerWsUrl"], protocols=("arduino",)) as viewer:
            assert viewer.protocol == "arduino"
    async with http.ws_connect(door.body["wsUrl"], headers=bearer(door.key), protocols=("other",)) as socket:
        assert socket.protocol is None


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
            await asyncio.sleep(2)  # half of the idle time-out, which the frame restarts
            await camera.send(frame("a"))
            assert await camera.closed() == 4408
            return loop.time() - began

    first, later = await asyncio.gather(silent(), one_frame())
    assert first > 3.9
    assert later > 5.9
