"""A camera that serves pictures over HTTP, byte for byte as a test wants it, and FFmpeg as a real one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.cameras import frame
from tests.support.ports import free_ports
from tests.support.product import eventually

Script = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]
BOUNDARY: Final = b"--frame\r\n"
_LISTEN: Final = "0A"
MULTIPART: Final = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    target: str
    headers: dict[str, str]
    at: float


@dataclass
class HttpCamera:
    """A running camera.

    Attributes:
        requests: All that came.
        open: The connections that are open now.
    """

    port: int
    requests: list[Request] = field(default_factory=list[Request])
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream"


@asynccontextmanager
async def http_camera(script: Script, port: int = 0) -> AsyncGenerator[HttpCamera]:
    """A camera that answers each request with the script."""
    camera = HttpCamera(port or free_ports(1)[0])
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        camera.open += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    request = _request(await reader.readuntil(b"\r\n\r\n"))
                    camera.requests.append(request)
                    await script(request, writer)
        finally:
            camera.open -= 1
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer), name="http camera")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", camera.port)
    try:
        yield camera
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _request(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return Request(first.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields}, time.monotonic())


def part(picture: bytes) -> bytes:
    """One part, as most cameras write it."""
    return BOUNDARY + b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture + b"\r\n"


def answer(body: bytes, kind: str = "image/jpeg", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer, after which the connection goes on."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def moving(fps: float = 20, make: Callable[[int], bytes] = lambda number: frame(str(number))) -> Script:
    """Pictures without end, numbered from each connection's first."""

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART)
        for number in itertools.count():
            if writer.is_closing():
                return
            writer.write(part(make(number)))
            await writer.drain()
            await asyncio.sleep(1 / fps)

    return script


@asynccontextmanager
async def ffmpeg_camera(size: str = "320x240", fps: int = 15, *, typed: bool = True) -> AsyncGenerator[str]:
    """FFmpeg as an MJPEG camera, which begins again for the next one who connects; its URL.

    Without the right type of its answer it says `application/octet-stream`, as FFmpeg does by itself.
    """
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/camera.mjpg"
    command = [
        *("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}"),
        *("-c:v", "mjpeg", "-q:v", "5", "-f", "mpjpeg"),
        *(("-content_type", "multipart/x-mixed-replace;boundary=ffmpeg") if typed else ()),
        *("-listen", "1", url),
    ]

    async def serve() -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    task = asyncio.create_task(serve(), name="ffmpeg camera")
    try:
        # Looked up and not connected to: it serves one connection.
        await eventually(lambda: asyncio.sleep(0, _is_listened_on(port)))
        yield url
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _is_listened_on(port: int) -> bool:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(f":{port:04X}") and state == _LISTEN for _, local, _, state, *_ in sockets)
