"""What cameras send to and viewers look at: Stagedoor, go2rtc, and a program in C that does next to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.support.ports import free_ports

from benchmarks.support import servers
from benchmarks.support.camera_load import Wire, compile_c
from benchmarks.support.processes import kernel_seconds, ran_seconds, rss_mb, tree
from benchmarks.support.stagedoor import stagedoor

_LIMIT: Final = Path(__file__).parent.parent / "rivals" / "fanout_limit.c"
_UPGRADE: Final = (
    "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_SHIPPED: Final = {"MALLOC_TRIM_THRESHOLD_": "268435456"}
"""As in the unit file and the image."""

_SETTINGS: Final = {"playbackPolicy": "public", "cameraLimit": 1000, "cameraBridge": "off"}


@dataclass(frozen=True, slots=True)
class Target:
    """A running server.

    Attributes:
        wire: So many cameras, each in a room of its own.
        cpu: CPU seconds it has used so far.
        kernel: Those of them that it spent in the kernel, in hundredths.
        memory: What it holds now, in MB.
    """

    name: str
    wire: Callable[[int], Wire]
    cpu: Callable[[], float]
    kernel: Callable[[], float]
    memory: Callable[[], float]


@contextmanager
def product(folder: Path) -> Generator[Target]:
    """A real Stagedoor with a LiveKit that it runs; cameras push by WebSocket."""
    with stagedoor(folder, **_SHIPPED) as running:
        running.patch("/apps/live", {"settings": _SETTINGS})
        cameras: list[bytes] = []
        viewers: list[bytes] = []

        def wire(count: int) -> Wire:
            for number in range(len(cameras), count):
                camera = running.post("/apps/live/ws-ingest", {"room": f"camera-{number}"})
                key = f"Authorization: Bearer {camera['streamKey']}\r\n"
                cameras.append(f"GET {_path(camera['wsUrl'])} HTTP/1.1\r\n{_UPGRADE}{key}\r\n".encode())
                viewers.append(_get(_path(camera["mjpegUrl"])))
            return Wire(running.port, cameras[:count], viewers[:count])

        yield _target("Stagedoor", wire, running.product.pid, {running.product.livekit_pid})


@contextmanager
def pulling_product(folder: Path, cameras: int) -> Generator[Target]:
    """A real Stagedoor that fetches cameras by HTTP, each once it has a viewer, as go2rtc does.

    Args:
        cameras: As many as it is to know.
    """
    (pull_port,) = free_ports(1)
    with stagedoor(folder, **_SHIPPED, STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8") as running:
        running.patch("/apps/live", {"settings": _SETTINGS | {"ingressStreams": cameras}})
        for number in range(cameras):
            url = f"http://127.0.0.1:{pull_port}/{number}"
            body = {"inputType": "url", "room": f"camera-{number}", "url": url, "start": "demand"}
            running.post("/apps/live/ingress", body)

        def wire(count: int) -> Wire:
            viewers = [_get(f"/live/live/camera-{number}/mjpeg") for number in range(count)]
            return Wire(running.port, [b""] * count, viewers, pull_port)

        yield _target("Stagedoor that fetches", wire, running.product.pid, {running.product.livekit_pid})


@contextmanager
def limit(folder: Path) -> Generator[Target]:
    """The program in C; cameras push by WebSocket."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)

    def wire(count: int) -> Wire:
        cameras = [f"GET /ingest?room={room} HTTP/1.1\r\n{_UPGRADE}\r\n".encode() for room in range(count)]
        return Wire(port, cameras, [_get(f"/live?room={room}") for room in range(count)])

    with servers.serving([str(compile_c(_LIMIT, folder)), str(port)], port) as server:
        yield _target("the limit in C", wire, server.pid)


@contextmanager
def go2rtc(binary: Path, folder: Path, cameras: int) -> Generator[Target]:
    """go2rtc; it fetches cameras by HTTP once a viewer connects.

    What it takes by POST ends at once when no viewer is connected (dc1685e9, `mjpeg: no receivers`).

    Args:
        cameras: As many as it is to know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, pull_port = free_ports(2)
    config = {
        "api": {"listen": f"127.0.0.1:{port}"},
        "rtsp": {"listen": ""},
        "webrtc": {"listen": ""},
        "log": {"level": "error"},
        "streams": {f"camera-{number}": f"http://127.0.0.1:{pull_port}/{number}" for number in range(cameras)},
    }
    file = folder / "go2rtc.yaml"
    file.write_text(json.dumps(config))

    def wire(count: int) -> Wire:
        viewers = [_get(f"/api/stream.mjpeg?src=camera-{number}") for number in range(count)]
        return Wire(port, [b""] * count, viewers, pull_port)

    with servers.serving([str(binary), "-config", str(file)], port) as server:
        yield _target("go2rtc", wire, server.pid)


def _target(name: str, wire: Callable[[int], Wire], pid: int, without: Iterable[int] = ()) -> Target:
    return Target(
        name,
        wire,
        lambda: ran_seconds(tree(pid, without)),
        lambda: kernel_seconds(tree(pid, without)),
        lambda: rss_mb(tree(pid, without)),
    )


def _get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
