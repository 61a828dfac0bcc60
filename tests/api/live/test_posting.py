"""`POST /ingest/frame`: cameras that can do no better than a request for each frame."""

from __future__ import annotations

import asyncio
import io
import time
from base64 import b64encode
from typing import Any

import aiohttp
import pytest

from tests.support.api_feed import following
from tests.support.cameras import Device, bearer, frame, is_live, mark_of, new_device, plain, sending, watching
from tests.support.product import Api, RunningProduct


async def post(http: aiohttp.ClientSession, device: Device, data: Any, key: str | None = "") -> tuple[int, str | None]:
    """Status and problem code."""
    url = device.post_url
    headers = bearer(device.key if key == "" else key) | {"Content-Type": "image/jpeg"}
    async with http.post(url, data=data, headers=headers) as answer:
        body = await answer.read()
        if answer.status == 204:
            assert body == b""
            return 204, None
        assert answer.content_type == "application/problem+json", body
        problem = await answer.json(content_type=None)
        assert problem["status"] == answer.status
        if answer.status == 429:
            assert int(answer.headers["Retry-After"]) > 0
        return answer.status, problem["code"]


async def test_a_frame_is_taken_and_seen(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    assert await post(http, door, frame("0")) == (204, None)
    await is_live(managed_api, door, True)
    async with watching(http, door) as stream:
        for number in range(3):
            assert (await stream.until(str(number)))[-1] == str(number)
            assert await post(http, door, frame(str(number + 1)) + bytes(10)) == (204, None)


async def test_a_sender_that_is_refused_gets_the_reason(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    assert await post(http, door, frame("0"), key=None) == (401, "bad_camera_key")
    assert await post(http, door, frame("0"), key="wsk_wrong") == (401, "bad_camera_key")
    other = await new_device(managed_api, door.app, "other")
    assert await post(http, other, frame("0"), key=door.key) == (404, "camera_not_found")
    await managed_api("PATCH", other.path, {"enabled": False})
    assert await post(http, other, frame("0")) == (403, "camera_disabled")


async def detail(http: aiohttp.ClientSession, device: Device, data: Any) -> str:
    async with http.post(device.post_url, data=data, headers=bearer(device.key)) as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["code"]) == (422, "not_jpeg"), problem
        words: str = problem["detail"]
        return words


BAD = {
    "empty": (b"", "it is empty"),
    "text": (b"hello", "it begins with 68656c6c"),
    "half": (plain()[:-1], "it breaks off"),
    "dummy byte": (b"\x00" + plain(), "1 byte stands before its start-of-image marker (00ffd8ff"),
    "base64": (b64encode(plain()), "it is a JPEG as base64 text"),
    "form": (b"--X\r\nContent-Disposition: form-data\r\n\r\n" + plain() + b"\r\n--X--\r\n", "it is a form (multipart/"),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_no_frame_is_refused_by_what_it_is(
    http: aiohttp.ClientSession, managed_api: Api, door: Device, what: str
) -> None:
    data, words = BAD[what]
    assert words in await detail(http, door, data)  # before it counts as one that sends
    assert await post(http, door, frame("0")) == (204, None)
    assert words in await detail(http, door, data)  # and while it does
    assert await post(http, door, frame("1") + b"x") == (204, None)
    body = (await managed_api("GET", door.path))["data"]
    assert (body["live"], body["rejected"]) == (True, 2)


async def test_the_largest_frame_is_taken_and_no_larger_one(http: aiohttp.ClientSession, door: Device) -> None:
    assert await post(http, door, frame("0", size=524_288)) == (204, None)
    assert await post(http, door, frame("0", size=524_289)) == (413, "frame_too_big")
    assert await post(http, door, io.BytesIO(bytes(9 * 1024 * 1024))) == (413, "frame_too_big")

    async def chunks() -> Any:
        for _ in range(20):
            yield bytes(65_536)

    assert await post(http, door, chunks()) == (413, "frame_too_big")


async def test_what_was_never_a_picture_makes_no_camera(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    assert await post(http, door, b"hello") == (422, "not_jpeg")
    assert (await managed_api("GET", door.path))["data"]["live"] is False
    async with http.get(door.body["mjpegUrl"]) as answer:
        assert answer.status == 404


async def test_frames_over_the_rate_are_dropped(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraMaxFps": 2}})
    answers = [await post(http, door, frame(str(number))) for number in range(8)]
    assert answers[:2] == [(204, None)] * 2
    assert (429, "too_fast") in answers
    assert {status for status, _ in answers} == {204, 429}
    refused = sum(status == 429 for status, _ in answers)
    assert (await managed_api("GET", door.path))["data"]["dropped"] == refused


async def rejections(api: Api, device: Device) -> tuple[bool, int, str | None]:
    body = (await api("GET", device.path))["data"]
    return body["live"], body["rejected"], body["lastRejection"]


async def test_refused_frames_show_in_the_cameras_state(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    assert await rejections(managed_api, door) == (False, 0, None)
    large = b"x" * 524_289
    assert await post(http, door, large) == (413, "frame_too_big")
    live, count, last = await rejections(managed_api, door)
    assert (live, count) == (False, 1)
    assert last == "the frame has more than 524288 bytes, which is the most"
    assert await post(http, door, b"\x89PNG") == (422, "not_jpeg")
    assert await rejections(managed_api, door) == (False, 2, "it is a PNG, not a JPEG")
    assert await post(http, door, frame("0")) == (204, None)
    assert await rejections(managed_api, door) == (True, 2, "it is a PNG, not a JPEG")
    assert await post(http, door, large) == (413, "frame_too_big")
    assert (await rejections(managed_api, door))[1:] == (3, last)


async def test_one_that_sends_by_websocket_does_not_post(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    second = await new_device(managed_api, door.app)
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        assert await post(http, door, frame("1")) == (409, "camera_connected")
        assert await post(http, second, frame("1")) == (409, "room_has_camera")
        async with http.get(door.body["frameUrl"]) as answer:
            assert mark_of(await answer.read()) == "0"


async def test_a_websocket_takes_over_from_requests(http: aiohttp.ClientSession, door: Device) -> None:
    assert await post(http, door, frame("0")) == (204, None)
    async with sending(http, door) as camera:
        await camera.send(frame("1"))
        assert await post(http, door, frame("2")) == (409, "camera_connected")
        async with http.get(door.body["frameUrl"]) as answer:
            assert mark_of(await answer.read()) == "1"


async def test_it_is_there_for_as_long_as_frames_come(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraIdleTimeout": "4s"}})
    async with following(http, managed_product.url, managed_product.api_key, door.app) as events:
        assert await post(http, door, frame("0")) == (204, None)
        await asyncio.sleep(2)  # half of the idle time-out, which the next frame restarts
        began = time.monotonic()
        assert await post(http, door, frame("1")) == (204, None)
        assert (await anext(events)).type == "camera.online"
        offline = await asyncio.wait_for(anext(events), 25)  # an app's own is half a minute
        assert time.monotonic() - began > 3.8
    assert offline.type == "camera.offline"
    assert (offline.data["detail"]["reason"], offline.data["detail"]["frames"]) == ("idle", 2)
    await is_live(managed_api, door, False)


async def test_a_key_that_is_no_good_any_more_takes_the_camera_away(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    assert await post(http, door, frame("0")) == (204, None)
    fresh = (await managed_api("POST", f"{door.path}/rotate"))["data"]["streamKey"]
    assert await post(http, door, frame("1")) == (401, "bad_camera_key")
    await is_live(managed_api, door, False)
    assert await post(http, door, frame("2"), key=fresh) == (204, None)
    await is_live(managed_api, door, True)
