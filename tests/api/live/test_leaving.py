"""Viewers that leave at any moment, while frames pass: the camera and the other viewers notice nothing."""

from __future__ import annotations

import asyncio
from random import Random

import aiohttp

from tests.support.cameras import Device, frame, sending
from tests.support.product import RunningProduct, eventually

_UPGRADE = (
    b"GET /live/ws?room=nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_request_behind_a_stream_does_not_keep_its_viewer_counted(
    http: aiohttp.ClientSession, managed_product: RunningProduct, door: Device
) -> None:
    state = door.body["mjpegUrl"].removesuffix("/mjpeg")

    async def viewers() -> int:
        async with http.get(state) as answer:
            return int((await answer.json())["data"]["viewers"])

    async with sending(http, door) as camera:
        await camera.send(frame("0"))
        for query in ("", "?fps=5"):
            path = door.body["mjpegUrl"].removeprefix(managed_product.url) + query
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for behind in (request, _UPGRADE) * 5:
                reader, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
                writer.write(request + behind)
                await reader.read(1024)
                writer.transport.abort()

            async def no_viewers() -> bool:
                await camera.send(frame("1"))
                return await viewers() == 0

            await eventually(no_viewers)
    assert '"level":"error"' not in managed_product.log


async def test_viewers_that_hang_up_while_frames_pass(
    http: aiohttp.ClientSession, managed_product: RunningProduct, door: Device
) -> None:
    chance = Random("leaving")
    path = door.body["mjpegUrl"].removeprefix(managed_product.url)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    async def hit_and_run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
        writer.write(request)
        for _ in range(chance.randrange(3)):
            await reader.read(chance.randrange(1, 4096))
        if chance.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()

    async with sending(http, door) as camera:
        stop = asyncio.Event()

        async def film() -> None:
            number = 0
            while not stop.is_set():
                await camera.send(frame(str(number)))
                number += 1
                await asyncio.sleep(0.04)

        filming = asyncio.create_task(film())
        async with http.get(door.body["mjpegUrl"]) as stays:
            for _ in range(20):
                await asyncio.gather(*(hit_and_run() for _ in range(25)))
            stop.set()
            await filming
            await asyncio.sleep(0.2)  # within its rate, or the last would be dropped
            await camera.send(frame("the last"))
            async with asyncio.timeout(10):
                seen = b""
                while b"the last" not in seen:
                    seen = (seen + await stays.content.readany())[-100_000:]
        assert not camera.socket.closed
    assert "RuntimeError" not in managed_product.log
