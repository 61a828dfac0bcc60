"""`WS /live/ws`: a room's frames, one binary message each."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.support.cameras import Device, frame, has_viewers, is_live, mark_of, refused, sending, size_of
from tests.support.product import Api


async def shown(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    message = await socket.receive(5)
    assert message.type is aiohttp.WSMsgType.BINARY, message
    data: bytes = message.data
    return data


async def test_each_frame_is_a_message(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0", width=320, height=240))
        url = door.body["viewerWsUrl"]
        async with http.ws_connect(url) as socket, http.ws_connect(f"{url}&width=160") as narrow:
            for number in range(3):
                assert await shown(socket) == frame(str(number), width=320, height=240)
                assert size_of(await shown(narrow)) == (160, 120)
                await camera.send(frame(str(number + 1), width=320, height=240))
            await socket.send_str("whatever")  # what viewers say means nothing
            await has_viewers(http, door, 2)
            assert mark_of(await shown(socket)) == "3"
        await has_viewers(http, door, 0)


async def test_a_viewer_that_is_refused_gets_the_answer_before_the_upgrade(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    url = "http" + door.body["viewerWsUrl"].removeprefix("ws")
    assert await refused(http, url) == (404, "no_camera")
    assert await refused(http, url.partition("?")[0]) == (404, "no_such_page")
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        assert await refused(http, f"{url}&fps=x") == (422, "validation_failed")
        assert await refused(http, f"{url}&width=1") == (422, "validation_failed")
        await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"playbackPolicy": "signed"}})
        assert await refused(http, url) == (404, "no_such_page")


async def test_it_ends_when_the_camera_stays_away(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraResume": "1s"}})
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        socket = await http.ws_connect(door.body["viewerWsUrl"])
        await shown(socket)
    await is_live(managed_api, door, False)
    async with sending(http, door) as camera:
        await camera.send(frame("1"))
        assert mark_of(await shown(socket)) == "1"
    assert (await socket.receive(5)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == 4404
    await socket.close()


async def test_who_breaks_the_protocol_breaks_only_that_connection(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with http.ws_connect(door.body["viewerWsUrl"]) as good:
            await shown(good)
            bad = await http.ws_connect(door.body["viewerWsUrl"])
            await shown(bad)
            bad._writer.transport.write(b"\xff" * 64)  # pyright: ignore[reportPrivateUsage]
            for number in range(10):
                await camera.send(frame(str(number)))
                assert mark_of(await shown(good)) == str(number)
            while (await bad.receive(5)).type is aiohttp.WSMsgType.BINARY:
                pass
            assert bad.close_code == 1002
            await has_viewers(http, door, 1)


async def test_no_more_often_than_was_asked_for(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        async with http.ws_connect(f"{door.body['viewerWsUrl']}&fps=4") as socket:
            loop = asyncio.get_running_loop()
            assert mark_of(await shown(socket)) == "0"
            began = loop.time()
            await camera.send(frame("1"), frame("2"), frame("last"))
            assert mark_of(await shown(socket)) == "last"
            assert loop.time() - began > 0.15
