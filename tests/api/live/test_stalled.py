"""Those who don't read, and those who are not there any more: they cost little, and others do not notice."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from stagedoor.api.live import camera_socket
from stagedoor.app import http as serving
from stagedoor.app import listening
from stagedoor.sources.cameras import intake
from tests.api.live.conftest import Here
from tests.support.cameras import Device, bearer, frame, has_viewers, is_live, mark_of, sending, watching
from tests.support.product import RunningProduct

_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class Hole:
    """A proxy that can swallow what passes, as a router does that was switched off."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._swallowing = asyncio.Event()
        self.port = 0

    def swallow(self) -> None:
        self._swallowing.set()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back))
                tasks.create_task(self._pump(there, writer))
        finally:
            writer.transport.abort()
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if not self._swallowing.is_set():
                writer.write(data)
                await writer.drain()
        writer.write_eof()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the product twenty seconds and a minute takes it half a second."""
    monkeypatch.setattr(serving, "_PING_SECONDS", 0.5)
    monkeypatch.setattr(listening, "_STALLED_SECONDS", 1)


async def test_half_open_connections_are_noticed(impatient: None, here: Here, http: aiohttp.ClientSession) -> None:
    """Neither end of the connection hears that the other is gone: only a ping finds out."""
    door = await here.door(cameraIdleTimeout="5m")  # so that it is the ping that has it ended
    hole = Hole(here.url)
    async with hole.open():
        through = {"url": door.body["wsUrl"].replace(here.url.split("//")[1], f"127.0.0.1:{hole.port}")}
        camera = await http.ws_connect(through["url"], headers=bearer(door.key))
        await camera.receive_json()
        await camera.send_bytes(frame("0"))
        viewer = await http.ws_connect(through["url"].replace("/ingest/ws", "/live/ws"))
        await viewer.receive_bytes()
        reading = [asyncio.create_task(socket.receive()) for socket in (camera, viewer)]
        await asyncio.sleep(1.3)  # twice as long as a ping may take: those who answer stay
        await is_live(here.api, door, True)
        await has_viewers(http, door, 1)
        hole.swallow()
        await is_live(here.api, door, False)
        await has_viewers(http, door, 0)
        for task in reading:
            task.cancel()
        for each in (camera, viewer):
            each._response.close()  # pyright: ignore[reportPrivateUsage]


@asynccontextmanager
async def not_reading(url: str, *headers: str) -> AsyncGenerator[socket.socket]:
    """A client with a small receive buffer that sends its request and reads nothing."""
    parts = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(client, (str(parts.hostname), parts.port or 80))
        request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n{''.join(headers)}\r\n"
        await loop.sock_sendall(client, request.encode())
        yield client
    finally:
        client.close()


async def test_viewers_that_stop_reading_cost_little_and_do_not_slow_others(
    managed_product: RunningProduct, http: aiohttp.ClientSession, door: Device
) -> None:
    process = psutil.Process(managed_product.pid)
    size = 200_000
    pictures = [frame(str(number), size=size) for number in range(75)]
    ws_url = "http" + door.body["viewerWsUrl"].removeprefix("ws")
    async with sending(http, door) as camera:
        await camera.send(pictures[0])
        async with watching(http, door) as stream:
            await stream.until("0")
            stalled = [not_reading(door.body["mjpegUrl"]) for _ in range(10)]
            stalled += [not_reading(ws_url, _UPGRADE) for _ in range(10)]
            for each in stalled:
                await each.__aenter__()
            await has_viewers(http, door, 21)
            before = process.memory_info().rss
            for number in range(1, 75):
                sent = time.monotonic()
                await camera.send(pictures[number])
                await asyncio.wait_for(stream.until(str(number)), 30)  # half of the time that a stalled viewer gets
                await asyncio.sleep(max(0.0, sent + 1 / 30 - time.monotonic()))
            grown = process.memory_info().rss - before
            # They would hold 20 * 74 frames, 300 MB, if frames were queued; and each holds a frame or two.
            assert grown < 20 * 4 * size, f"{grown / 1e6:.0f} MB"
        for each in stalled:
            await each.__aexit__(None, None, None)
        await has_viewers(http, door, 0)


async def test_who_reads_slowly_sees_what_is_new(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("0", size=200_000))
        url = "http" + door.body["viewerWsUrl"].removeprefix("ws")
        async with not_reading(door.body["mjpegUrl"]) as mjpeg, not_reading(url, _UPGRADE) as binary:
            await has_viewers(http, door, 2)
            for number in range(1, 40):
                await camera.send(frame(str(number), size=200_000))
                await asyncio.sleep(1 / 25)
            for client in (mjpeg, binary):
                seen = await _marks(client, "39")
                assert seen == sorted(set(seen))
                assert seen[-1] == 39
                assert len(seen) < 15, "old frames were queued"


async def _marks(client: socket.socket, last: str) -> list[int]:
    """The marks of the frames that come, up to and with this one."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    until, searched = frame(last)[:8], 0
    async with asyncio.timeout(10):
        while data.find(until, searched) < 0:
            searched = max(0, len(data) - len(until))
            data += await loop.sock_recv(client, 1 << 20)
    found: list[int] = []
    at = data.find(b"\xff\xd8\xff\xfe")
    while at >= 0:
        found.append(int(mark_of(bytes(data[at : at + 100]))))
        at = data.find(b"\xff\xd8\xff\xfe", at + 1)
    return found


async def test_who_takes_nothing_for_long_is_let_go(impatient: None, here: Here, http: aiohttp.ClientSession) -> None:
    door = await here.door(cameraMaxFps=120)
    async with sending(http, door) as camera:
        await camera.send(frame("0", size=400_000))
        answering = asyncio.create_task(camera.socket.receive())
        async with not_reading(door.body["mjpegUrl"]):
            await has_viewers(http, door, 1)
            stop = asyncio.Event()

            async def film() -> None:
                while not stop.is_set():
                    await camera.send(frame("x", size=400_000))
                    await asyncio.sleep(0.05)

            filming = asyncio.create_task(film())
            await has_viewers(http, door, 0)
            stop.set()
            await filming
            assert not answering.done()  # who sends, and answers pings, stays
            answering.cancel()


async def test_who_sends_far_too_fast_is_ended(
    monkeypatch: pytest.MonkeyPatch, here: Here, http: aiohttp.ClientSession
) -> None:
    monkeypatch.setattr(intake, "_FAR_TOO_FAST_SECONDS", 1)
    door = await here.door(cameraMaxFps=1)
    async with sending(http, door) as camera:
        ended = asyncio.create_task(camera.closed())
        with suppress(aiohttp.ClientConnectionError):
            while not ended.done():
                await camera.send(frame("x"), frame("y"))
                await asyncio.sleep(0.05)
        assert await ended == 4429


async def test_a_camera_that_reads_nothing_costs_nothing(here: Here, http: aiohttp.ClientSession) -> None:
    """It is sent next to nothing, so it may send for as long as it likes."""
    door = await here.door()
    path = "http" + door.body["wsUrl"].removeprefix("ws")
    async with not_reading(path, _UPGRADE, f"Authorization: Bearer {door.key}\r\n") as client:
        await is_live(here.api, door, True)
        loop = asyncio.get_running_loop()
        data = frame("0")
        head = b"\x82" + (bytes([0x80 | 126]) + len(data).to_bytes(2, "big")) + bytes(4)
        for _ in range(10):
            await loop.sock_sendall(client, head + data)
        async with http.get(door.body["frameUrl"]) as answer:
            assert await answer.read() == data


async def test_a_camera_that_does_not_read_what_was_dropped_is_seen(
    monkeypatch: pytest.MonkeyPatch, here: Here, http: aiohttp.ClientSession
) -> None:
    """One message waits for it, and no more are kept."""
    monkeypatch.setattr(camera_socket, "_REPORT_SECONDS", 0.0)

    def long(rejected: Any, count: int) -> str:
        return "x" * 50_000

    monkeypatch.setattr(camera_socket, "_dropped", long)
    door = await here.door(cameraIdleTimeout="5m")
    path = "http" + door.body["wsUrl"].removeprefix("ws")
    async with not_reading(path, _UPGRADE, f"Authorization: Bearer {door.key}\r\n") as client:
        await is_live(here.api, door, True)
        loop = asyncio.get_running_loop()
        before = psutil.Process().memory_info().rss
        for _ in range(600):  # to report each would take 30 MB, more than the kernel keeps for it
            await loop.sock_sendall(client, b"\x81\x81\x00\x00\x00\x00x")
        data = frame("0")
        await loop.sock_sendall(client, b"\x82" + bytes([0xFE]) + len(data).to_bytes(2, "big") + bytes(4) + data)
        async with http.get(door.body["frameUrl"]) as answer:
            assert await answer.read() == data
        assert psutil.Process().memory_info().rss - before < 16_000_000


async def test_a_message_that_comes_byte_by_byte_or_never_ends(here: Here, http: aiohttp.ClientSession) -> None:
    door = await here.door(cameraIdleTimeout="2s")
    path = "http" + door.body["wsUrl"].removeprefix("ws")
    loop = asyncio.get_running_loop()
    async with not_reading(path, _UPGRADE, f"Authorization: Bearer {door.key}\r\n") as client:
        await is_live(here.api, door, True)
        data = frame("slow")
        head = b"\x82" + (bytes([0x80 | 126]) + len(data).to_bytes(2, "big")) + bytes(4)
        for byte in range(0, len(head + data), 50):
            await loop.sock_sendall(client, (head + data)[byte : byte + 50])
            await asyncio.sleep(0)
        async with http.get(door.body["frameUrl"]) as answer:
            assert mark_of(await answer.read()) == "slow"
        await loop.sock_sendall(client, (head + data)[:100])  # and no more of it
        await is_live(here.api, door, False)


async def test_nothing_is_left_of_cameras_and_viewers_that_went(here: Here, http: aiohttp.ClientSession) -> None:
    door = await here.door(cameraResume="1s")

    async def once() -> None:
        async with sending(http, door) as camera:
            await camera.send(frame("0", width=320, height=240))
            for query in ("", "?fps=5", "?width=100"):
                async with watching(http, door, query) as stream:
                    await stream.part()
            async with http.ws_connect(door.body["viewerWsUrl"]) as viewer:
                await viewer.receive_bytes()
        await is_live(here.api, door, False)
        await has_viewers(http, door, 0)

    def living() -> dict[str, int]:
        gc.collect()
        names = ("Viewer", "Slot", "LiveCamera", "Intake", "_Stream")
        found: list[Any] = [type(thing).__name__ for thing in gc.get_objects()]
        return {name: found.count(name) for name in names}

    await once()
    await asyncio.sleep(1.2)  # the viewers' timeout is a timer, which holds its slot
    before = living()
    for _ in range(5):
        await once()
    await asyncio.sleep(1.2)
    assert living() == before
    assert here.parts.frame_viewers.viewers(door.body["room"]) == 0
