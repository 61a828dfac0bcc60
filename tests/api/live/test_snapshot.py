"""`GET /live/{app}/{room}/frame.jpg`: the newest frame, for those who ask now and again."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime

import aiohttp
from multidict import CIMultiDictProxy

from stagedoor.streams.placeholder import placeholder
from tests.support.cameras import (
    Device,
    frame,
    has_viewers,
    json_of,
    mark_of,
    metric,
    plain,
    sending,
    size_of,
    viewers,
)
from tests.support.product import Api, RunningProduct


async def ask(
    http: aiohttp.ClientSession, device: Device, query: str = "", **headers: str
) -> tuple[int, bytes, CIMultiDictProxy[str]]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.get(device.body["frameUrl"] + query, headers=given) as answer:
        return answer.status, await answer.read(), answer.headers


async def test_it_is_the_newest_frame_and_says_when_it_came(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        status, data, headers = await ask(http, door)
        assert (status, data, headers["Content-Type"]) == (200, frame("0"), "image/jpeg")
        assert abs(parsedate_to_datetime(headers["Last-Modified"]).timestamp() - time.time()) < 5
        assert abs(float(headers["X-Timestamp"]) - time.time()) < 5
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert await viewers(http, door) == 0


async def test_a_client_that_has_the_frame_already_gets_304(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0", width=320, height=240))
        _, _, headers = await ask(http, door)
        tag = headers["ETag"]
        for given in (tag, f"W/{tag}", f'"other", {tag}'):
            status, data, again = await ask(http, door, If_None_Match=given)
            assert (status, data, again["ETag"]) == (304, b"", tag), given
        assert (await ask(http, door, If_None_Match='"other"'))[0] == 200
        narrow = await ask(http, door, "?width=100", If_None_Match=tag)
        assert (narrow[0], size_of(narrow[1])) == (200, (100, 75))  # which is another picture
        await camera.send(frame("1", width=320, height=240))
        status, data, headers = await ask(http, door, "?wait=5", If_None_Match=tag)
        assert (status, mark_of(data)) == (200, "1")
        assert headers["ETag"] != tag


async def test_a_date_is_no_proof_of_having_it(http: aiohttp.ClientSession, door: Device) -> None:
    """It is a second wide, in which a camera sends thirty frames."""
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        _, _, headers = await ask(http, door)
        await camera.send(frame("1"))
        assert (await ask(http, door, If_Modified_Since=headers["Last-Modified"]))[0] == 200


async def test_with_wait_it_is_a_long_poll(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        tag = (await ask(http, door))[2]["ETag"]
        began = time.monotonic()
        assert (await ask(http, door, "?wait=0.3", If_None_Match=tag))[0] == 304
        assert time.monotonic() - began > 0.25
        waiting = asyncio.create_task(ask(http, door, "?wait=10", If_None_Match=tag))
        await has_viewers(http, door, 1)
        await camera.send(frame("1"))
        status, data, _ = await asyncio.wait_for(waiting, 9)  # and not when its ten seconds are over
        assert (status, mark_of(data)) == (200, "1")


async def test_an_old_frame_is_waited_past(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        await ask(http, door)
        await asyncio.sleep(0.3)  # so that the frame is older than maxAge
        status, _, _ = await ask(http, door, "?maxAge=0.2&wait=0.1")
        assert status == 404
        assert (await ask(http, door, "?maxAge=60"))[0] == 200
        waiting = asyncio.create_task(ask(http, door, "?maxAge=0.2&wait=10"))
        await has_viewers(http, door, 1)
        await camera.send(frame("1"))
        assert mark_of((await asyncio.wait_for(waiting, 5))[1]) == "1"


async def test_the_first_frame_of_a_camera_that_has_just_come_is_waited_for(
    http: aiohttp.ClientSession, door: Device
) -> None:
    async with sending(http, door) as camera:
        waiting = asyncio.create_task(ask(http, door))
        await has_viewers(http, door, 1)
        await camera.send(frame("0"))
        assert (await asyncio.wait_for(waiting, 5))[:2] == (200, frame("0"))
    assert (await ask(http, door))[0] == 404


async def test_the_placeholder_is_no_frame_of_any_age(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraSlate": True}})
    status, data, _ = await ask(http, door)
    assert (status, data) == (200, placeholder().data)
    status, data, _ = await ask(http, door, "?width=160")
    assert (status, size_of(data)[0]) == (200, 160)
    began = time.monotonic()
    assert (await ask(http, door, "?maxAge=5&wait=0.2"))[0] == 404
    assert time.monotonic() - began < 15


async def test_a_frame_that_cannot_be_decoded_has_another_answer_than_no_frame(
    managed_product: RunningProduct, http: aiohttp.ClientSession, door: Device
) -> None:
    name = "stagedoor_camera_undecodable_frames_total"
    before = await metric(http, managed_product.url, name)
    whole = plain(width=320, height=240)
    begin = whole.index(b"\xff\xda")
    begin += 2 + int.from_bytes(whole[begin + 2 : begin + 4], "big")
    junk = whole[:begin] + b"\x00" + b"\xd5" * 400 + b"\xff\xd9"
    broken = junk.replace(b"\xff\xdb\x00\x43\x00", b"\xff\xdb\x00\x43\x0e", 1)  # with a quantization table missing
    async with sending(http, door) as camera:
        await camera.send(broken)
        status, body, _ = await ask(http, door, "?width=100")
        assert (status, json_of(body)["code"]) == (422, "undecodable")
        assert (await ask(http, door))[:2] == (200, broken)
        await camera.send(frame("good", width=320, height=240))
        assert (await ask(http, door, "?width=100"))[0] == 200
    assert await metric(http, managed_product.url, name) == before + 1
