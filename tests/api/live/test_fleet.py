"""A thousand cameras behind one address, which all come back when the power does."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.support.api_tenant import new_app
from tests.support.cameras import Device, bearer, metric, new_device, plain
from tests.support.product import Api, RunningProduct, eventually

CAMERAS = 1000
TOGETHER = 50
"""How many handshakes are under way at a time: what a machine with two cores can start."""


async def test_a_thousand_cameras_come_back_within_half_a_minute(managed_product: RunningProduct) -> None:
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        api = Api(http, managed_product.url, managed_product.api_key)
        app = await new_app(api, cameraLimit=CAMERAS, cameraIdleTimeout="1m")
        gate = asyncio.Semaphore(TOGETHER)

        async def make(number: int) -> Device:
            async with gate:
                return await new_device(api, app, f"r{number}")

        async def connect(device: Device) -> tuple[aiohttp.ClientWebSocketResponse, float]:
            async with gate:
                began = loop.time()
                socket = await http.ws_connect(device.body["wsUrl"], headers=bearer(device.key))
                assert (await socket.receive_json(timeout=30))["streamId"] == device.id
                await socket.send_bytes(plain())
                return socket, loop.time() - began

        async def live() -> bool:
            return await metric(http, managed_product.url, "stagedoor_cameras") == CAMERAS

        before = await metric(http, managed_product.url, "stagedoor_camera_frames_total")
        devices = await asyncio.gather(*map(make, range(CAMERAS)))
        began = loop.time()
        first = await asyncio.gather(*map(connect, devices))
        took_first = loop.time() - began
        await eventually(live)
        for socket, _ in first:
            socket._response.close()  # pyright: ignore[reportPrivateUsage] - the device loses power: no close message is sent

        began = loop.time()
        again = await asyncio.gather(*map(connect, devices))
        took = loop.time() - began
        assert took < max(30, 3 * took_first)  # a busy machine takes longer, but for both
        await eventually(live)

        async def all_frames() -> bool:
            return await metric(http, managed_product.url, "stagedoor_camera_frames_total") == before + 2 * CAMERAS

        await eventually(all_frames)
        for socket, _ in again:
            socket._response.close()  # pyright: ignore[reportPrivateUsage]

        async def none() -> bool:
            return await metric(http, managed_product.url, "stagedoor_cameras") == 0

        await eventually(none)
        assert "rror" not in managed_product.log[-20_000:]
