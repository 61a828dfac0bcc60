"""Cameras and viewers for tests: pictures that say which they are, devices, and readers of what comes out."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import aiohttp
import numpy as np
import simplejpeg

from tests.support.product import PATIENCE_SECONDS, Api, eventually

RED: Final = (220, 20, 20)
BLUE: Final = (20, 20, 220)
VIEWER_ADDRESSES: Final = ("viewerWsUrl", "mjpegUrl", "frameUrl", "playUrl", "embedUrl")
_COMMENT: Final = b"\xff\xfe"
_LONGEST_COMMENT: Final = 65_533
_UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@lru_cache(maxsize=64)
def plain(color: tuple[int, int, int] = RED, width: int = 64, height: int = 48) -> bytes:
    """A JPEG of one colour."""
    pixels = np.full((height, width, 3), color, dtype=np.uint8)
    encoded: bytes = simplejpeg.encode_jpeg(pixels)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return encoded


def frame(mark: str, color: tuple[int, int, int] = RED, width: int = 64, height: int = 48, size: int = 0) -> bytes:
    """A picture with a mark in it, `size` bytes long if that is more than it takes."""
    base = plain(color, width, height)
    inside = _comment(mark.encode())
    missing = size - len(base) - len(inside)
    while missing >= 4:
        length = missing if missing - 4 <= _LONGEST_COMMENT else min(missing - 4, _LONGEST_COMMENT)
        inside += _comment(bytes(length - 4))
        missing = size - len(base) - len(inside)
    return base[:2] + inside + base[2:]


def _comment(text: bytes) -> bytes:
    return _COMMENT + (len(text) + 2).to_bytes(2, "big") + text


def mark_of(data: bytes) -> str:
    """The mark that a frame was sent with."""
    assert data[2:4] == _COMMENT, "it is not one of the test's frames as it was sent"
    return data[6 : 4 + int.from_bytes(data[4:6], "big")].decode()


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height, by another reader than ours."""
    height, width, *_ = simplejpeg.decode_jpeg_header(data)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return int(width), int(height)


def color_of(data: bytes) -> tuple[int, int, int]:
    """The mean colour."""
    red, green, blue = simplejpeg.decode_jpeg(data).mean(axis=(0, 1))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return round(red), round(green), round(blue)


@dataclass(frozen=True)
class Device:
    """A camera.

    Attributes:
        body: The answer to its creation, with the addresses for viewers as they are without a token: tests add one
            where it matters.
    """

    app: str
    body: dict[str, Any]

    @property
    def id(self) -> str:
        return self.body["id"]

    @property
    def key(self) -> str:
        return self.body["streamKey"]

    @property
    def path(self) -> str:
        """Of the camera in the REST contract."""
        return f"/apps/{self.app}/ws-ingest/{self.id}"

    @property
    def post_url(self) -> str:
        """Where it may send single frames."""
        return self.http_url.replace("/ingest/ws", "/ingest/frame")

    @property
    def http_url(self) -> str:
        """Its WebSocket's address, for a handshake by hand."""
        return "http" + self.body["wsUrl"].removeprefix("ws")


async def new_device(api: Api, app: str, room: str = "door", **fields: Any) -> Device:
    """A new camera."""
    body = (await api("POST", f"/apps/{app}/ws-ingest", {"room": room, **fields}, expect=201))["data"]
    return Device(app, body | {name: without_token(body[name]) for name in VIEWER_ADDRESSES})


def without_token(address: str) -> str:
    """The address, for which another token or none is to be tried."""
    return re.sub(r"[?&]token=[^&]+", "", address)


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


class Sender:
    """A camera's connection.

    Attributes:
        ready: The first message.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, ready: dict[str, Any]) -> None:
        self.socket = socket
        self.ready = ready

    async def send(self, *frames: bytes) -> None:
        for data in frames:
            await self.socket.send_bytes(data)

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> int | None:
        """The code with which the server ends the connection, after a text message with the same code."""
        message = await self.socket.receive(seconds)
        said = None
        if message.type is aiohttp.WSMsgType.TEXT:
            said = message.json()
            message = await self.socket.receive(seconds)
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}, message
        assert said is None or (said["type"], said["code"]) == ("error", self.socket.close_code)
        return self.socket.close_code


@asynccontextmanager
async def sending(http: aiohttp.ClientSession, device: Device, key: str | None = None) -> AsyncGenerator[Sender]:
    """The camera, connected."""
    async with http.ws_connect(device.body["wsUrl"], headers=bearer(key or device.key)) as socket:
        yield Sender(socket, await socket.receive_json(timeout=PATIENCE_SECONDS))


async def refusal(
    http: aiohttp.ClientSession, url: str, key: str | None = None
) -> tuple[int, str, dict[str, str], dict[str, Any]]:
    """Status, code, headers and body of the answer to a handshake that must not succeed."""
    async with http.get(url, headers=_UPGRADE | bearer(key)) as answer:
        assert answer.status != 101, "it was let in"
        assert answer.content_type == "application/problem+json", await answer.text()
        body = await answer.json(content_type=None)
        assert {"type", "title", "status", "code", "detail"} <= set(body)
        assert body["status"] == answer.status
        return answer.status, body["code"], dict(answer.headers), body


async def refused(http: aiohttp.ClientSession, url: str, key: str | None = None) -> tuple[int, str]:
    """Status and code of the same."""
    return (await refusal(http, url, key))[:2]


@dataclass(frozen=True)
class Part:
    """One part of a multipart stream."""

    headers: dict[str, str]
    data: bytes


class Stream:
    """An open MJPEG stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self._last: Part | None = None

    async def part(self) -> Part:
        """The next part that is not the last one again, which is sent twice when the camera pauses.

        Raises:
            EOFError: The stream has ended.
        """
        before = self._last
        while (part := await self.any_part()) == before:
            pass
        return part

    async def any_part(self) -> Part:
        """The next part, which is complete only once the boundary after it is here.

        Raises:
            EOFError: The stream has ended.
        """
        head = await self._until(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        data = await self.answer.content.readexactly(int(headers["Content-Length"]))
        assert await self._until(b"--frame\r\n") == b"\r\n"
        self._last = Part(headers, data)
        return self._last

    async def until(self, mark: str) -> list[str]:
        """The marks that come, up to and with this one."""
        seen: list[str] = []
        while mark not in seen:
            seen.append(mark_of((await self.part()).data))
        return seen

    async def ends(self) -> None:
        """Read to the end, which must come."""
        while True:
            try:
                await self.part()
            except EOFError:
                return

    async def _until(self, separator: bytes) -> bytes:
        found = await self.answer.content.readuntil(separator)
        if not found.endswith(separator):
            raise EOFError
        return found.removesuffix(separator)


@asynccontextmanager
async def watching(http: aiohttp.ClientSession, device: Device, query: str = "") -> AsyncGenerator[Stream]:
    """The camera's room as MJPEG, after the first boundary."""
    async with http.get(device.body["mjpegUrl"] + query) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        assert await answer.content.readexactly(9) == b"--frame\r\n"
        yield Stream(answer)


async def viewers(http: aiohttp.ClientSession, device: Device) -> int:
    """How many look at the camera's room, as the product counts them."""
    async with http.get(device.body["mjpegUrl"].removesuffix("/mjpeg")) as answer:
        found: int = (await answer.json())["data"]["viewers"]
        return found


async def has_viewers(http: aiohttp.ClientSession, device: Device, count: int) -> None:
    """Return when so many look."""

    async def so() -> bool:
        return await viewers(http, device) == count

    await eventually(so)


async def is_live(api: Api, device: Device, live: bool) -> None:
    """Return when the camera sends, or does not."""

    async def so() -> bool:
        return (await api("GET", device.path))["data"]["live"] is live

    await eventually(so)


async def metric(http: aiohttp.ClientSession, url: str, name: str) -> float:
    """A number of `/metrics`; 0 while there is none."""
    async with http.get(f"{url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
    return 0.0


async def messages(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[bytes]:
    """The binary messages of a viewer's socket, until it is closed."""
    async for message in socket:
        assert message.type is aiohttp.WSMsgType.BINARY
        yield message.data


def json_of(text: bytes) -> Any:
    return json.loads(text)
