"""Cameras and viewers whose frames say who sent them, in which order and when."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp
from PIL import Image

from tests.support.product import RunningProduct, eventually

WAIT_S: Final = 20.0


def _plain() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "JPEG")
    return out.getvalue()


_PLAIN: Final = _plain()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is written in a frame, and how long it took here."""

    sender: str
    number: int
    delay: float

    @classmethod
    def of(cls, frame: bytes) -> Self:
        if frame[2:4] != b"\xff\xfe":
            return cls("the slate", 0, 0.0)
        length = int.from_bytes(frame[4:6], "big")
        sender, number, at = frame[6 : 4 + length].rstrip(b" ").decode().split()
        return cls(sender, int(number), time.time() - float(at))


def frame(sender: str, number: int, size: int = 0) -> bytes:
    """A JPEG with this in a comment; `size` bytes, or as small as it gets."""
    text = f"{sender} {number} {time.time():.6f}".encode().ljust(size - len(_PLAIN) - 4)
    return _PLAIN[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + _PLAIN[2:]


@dataclass(frozen=True, slots=True)
class Made:
    """A camera, its key and its room."""

    id: str
    key: str
    room: str

    @property
    def path(self) -> str:
        return f"/apps/live/ws-ingest/{self.id}"


@dataclass(slots=True, eq=False)
class Device:
    """A camera's connection.

    Attributes:
        sent: Frames so far.
        waits_for: Viewers who have seen each frame before the next one is sent: then no frame is left out for a newer
            one, however busy the machine is.
        code: Why it was closed.
    """

    name: str
    socket: aiohttp.ClientWebSocketResponse
    sent: int = 0
    waits_for: list[Viewer] = field(default_factory=lambda: list[Viewer]())
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def code(self) -> int | None:
        return self.socket.close_code if self.closed.is_set() else None

    async def send(self, fps: float, size: int) -> None:
        due = time.monotonic()
        while not self.closed.is_set():
            self.sent += 1
            try:
                await self.socket.send_bytes(frame(self.name, self.sent, size))
            except (ConnectionError, aiohttp.ClientError):
                return
            while any(viewer.behind(self.sent) for viewer in self.waits_for):  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.002)
            due += 1 / fps
            await asyncio.sleep(due - time.monotonic())

    async def read(self) -> None:
        async for _ in self.socket:
            pass
        self.closed.set()

    async def ended(self, within: float = WAIT_S) -> int | None:
        """The close code."""
        await asyncio.wait_for(self.closed.wait(), within)
        return self.code

    async def sends(self, more: int) -> None:
        """Return when it has sent so many more frames."""
        target = self.sent + more
        await until(lambda: self.sent >= target)


@asynccontextmanager
async def sending(
    http: aiohttp.ClientSession,
    node: RunningProduct,
    camera: Made,
    name: str,
    *,
    fps: float = 20,
    size: int = 0,
) -> AsyncGenerator[Device]:
    """A camera that sends to a node for as long as the context lasts, or until it is closed.

    Raises:
        aiohttp.WSServerHandshakeError: It may not.
    """
    headers = {"Authorization": f"Bearer {camera.key}"}
    url = f"{node.url}/ingest/ws?app=live&room={camera.room}"
    async with http.ws_connect(url, headers=headers) as socket:
        ready = await socket.receive_json()
        assert ready["type"] == "ready"
        device = Device(name, socket)
        device.tasks = [asyncio.create_task(device.read()), asyncio.create_task(device.send(fps, size))]
        try:
            yield device
        finally:
            for task in device.tasks:
                task.cancel()
            await asyncio.gather(*device.tasks, return_exceptions=True)


@dataclass(slots=True, eq=False)
class Viewer:
    """One who looks, and what was seen."""

    seen: list[Seen] = field(default_factory=list[Seen])
    left: bool = False

    def take(self, data: bytes) -> None:
        self.seen.append(Seen.of(data))

    def behind(self, number: int) -> bool:
        """Whether this frame is still to be seen."""
        return not self.left and (not self.seen or self.seen[-1].number < number)

    async def sees(self, more: int = 3, by: str | None = None, within: float = WAIT_S) -> list[Seen]:
        """The next so many frames, of one sender when that is asked for."""
        start = len(self.seen)

        def new() -> list[Seen]:
            return [seen for seen in self.seen[start:] if by is None or seen.sender == by]

        await until(lambda: len(new()) >= more or self.left, within)
        assert not self.left, "the viewer was sent away"
        return new()

    @property
    def senders(self) -> list[str]:
        """Who was seen, in order: a name comes again when frames of two mixed."""
        return [seen.sender for i, seen in enumerate(self.seen) if i == 0 or self.seen[i - 1].sender != seen.sender]


@asynccontextmanager
async def watching(http: aiohttp.ClientSession, node: RunningProduct, room: str) -> AsyncGenerator[Viewer]:
    """A viewer by WebSocket, as soon as the node knows of the camera."""
    await _known(http, node, room)
    async with http.ws_connect(f"{node.url}/live/ws?app=live&room={room}") as socket:
        viewer = Viewer()

        async def read() -> None:
            async for message in socket:
                viewer.take(message.data)
            viewer.left = True

        async with _beside(read):
            yield viewer


@asynccontextmanager
async def watching_mjpeg(http: aiohttp.ClientSession, node: RunningProduct, room: str) -> AsyncGenerator[Viewer]:
    """A viewer by MJPEG, as soon as the node knows of the camera."""
    await _known(http, node, room)
    async with http.get(f"{node.url}/live/live/{room}/mjpeg") as answer:
        assert answer.status == 200, await answer.text()
        viewer = Viewer()

        async def read() -> None:
            while not answer.content.at_eof():
                head = await answer.content.readuntil(b"\r\n\r\n")
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                viewer.take(await answer.content.readexactly(length))
            viewer.left = True

        async with _beside(read):
            yield viewer


async def _known(http: aiohttp.ClientSession, node: RunningProduct, room: str) -> None:
    """Another node knows of a camera some milliseconds after its own."""

    async def live() -> bool:
        async with http.get(f"{node.url}/live/live/{room}") as answer:
            return bool((await answer.json())["data"]["live"])

    await eventually(live, 5)


async def until(check: Callable[[], bool], within: float = WAIT_S) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def _beside(read: Callable[[], Awaitable[Any]]) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(read())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
