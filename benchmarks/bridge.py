"""What a bridged camera costs, beside one that is decoded to RGB and encoded by LiveKit's SDK."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import psutil
import simplejpeg
from livekit import rtc
from livekit.api import AccessToken, VideoGrants
from tests.support.product import KEY, SECRET, ExternalLiveKit

from benchmarks.support.plan import Plan
from benchmarks.support.processes import cpu_seconds, pss_mb
from benchmarks.support.report import Line, median, number, say
from stagedoor.outputs.webrtc.protocol import Ack, Joined, Order, Report, prefix

_SIZES: Final = ((640, 480, 10), (1280, 720, 15), (1280, 720, 25))
_VARIANTS: Final = {
    "Stagedoor": ("stagedoor.outputs.webrtc.child",),
    "SDK, H.264": ("benchmarks.rivals.raw_bridge", "H264"),
    "SDK, VP8": ("benchmarks.rivals.raw_bridge", "VP8"),
}
_WARM_SECONDS: Final = 3.0
_PICTURES: Final = 50


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one process: `cpu` as a share of a core, memory in MB; and what a viewer got of it."""

    cpu: float
    pss: float
    rss: float
    fps: float
    width: int
    height: int


def run(plan: Plan) -> list[Line]:
    """The figures."""
    server = ExternalLiveKit(plan.folder, "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    try:
        return [line for size in _SIZES for line in _compare(plan, server, *size)]
    finally:
        server.kill()


def _compare(plan: Plan, server: ExternalLiveKit, width: int, height: int, fps: int) -> list[Line]:
    pictures = [_picture(width, height, number_) for number_ in range(_PICTURES)]
    found: dict[str, list[_Cost]] = {name: [] for name in _VARIANTS}
    title = f"{width}x{height} at {fps}"
    for round_ in range(plan.rounds):
        for name, command in _VARIANTS.items():
            room = f"{title}-{round_}-{name}"
            cost = asyncio.run(_measure(server, room, command, pictures, fps, plan.scaled(10)))
            found[name].append(cost)
            say(
                f"  {title}, {name}: {number(cost.cpu * 100)} % of a core, PSS {number(cost.pss)} MB, RSS "
                f"{number(cost.rss)} MB; a viewer got {number(cost.fps)} fps of {cost.width}x{cost.height}"
            )
    ours, *rivals = found
    lines: list[Line] = []
    for rival in rivals:
        cpu = [median(cost.cpu * 100 for cost in found[name]) for name in (ours, rival)]
        memory = [median(cost.pss for cost in found[name]) for name in (ours, rival)]
        rate = [median(cost.fps for cost in found[name]) for name in (ours, rival)]
        lines += [
            Line(f"bridge, {title}: CPU", cpu[0], "% of a core", rival, cpu[1]),
            Line(f"bridge, {title}: memory", memory[0], "MB", rival, memory[1]),
            Line(f"bridge, {title}: seen", rate[0], "fps", rival, rate[1]),
        ]
    return lines


def _picture(width: int, height: int, at: int) -> bytes:
    """A gradient that moves, with a camera's noise; about 0.8 bits a pixel."""
    noise = np.random.default_rng(at).integers(-2, 3, (height, width, 3))
    y, x = np.mgrid[0:height, 0:width]
    at = min(at, _PICTURES - at)  # there and back, so that it can be repeated
    pixels = np.stack([128 + 100 * np.sin((x + 6 * at) / 40), 128 + 100 * np.sin(y / 30), (x + y) / 8 % 256], axis=-1)
    return simplejpeg.encode_jpeg(np.clip(pixels + noise, 0, 255).astype(np.uint8), 80, colorsubsampling="422")


async def _measure(
    server: ExternalLiveKit, room: str, command: tuple[str, ...], pictures: list[bytes], fps: int, seconds: float
) -> _Cost:
    url = server.url.replace("http", "ws", 1)
    viewer = _Viewer()
    await viewer.room.connect(url, _token(room, "viewer"))
    order = Order(url, _token(room, "camera"), 30)
    process = _start(command)
    feeding = threading.Thread(target=_feed, args=(process, order, pictures, fps))
    feeding.start()
    try:
        await asyncio.wait_for(viewer.sees.wait(), 30)
        await asyncio.sleep(_WARM_SECONDS)
        watched = [psutil.Process(process.pid)]
        began, used, seen = time.perf_counter(), cpu_seconds(watched), viewer.frames
        await asyncio.sleep(seconds)
        elapsed = time.perf_counter() - began
        return _Cost(
            (cpu_seconds(watched) - used) / elapsed,
            pss_mb(process.pid),
            watched[0].memory_info().rss / 1024**2,
            (viewer.frames - seen) / elapsed,
            *viewer.size,
        )
    finally:
        process.terminate()
        await asyncio.to_thread(feeding.join)
        process.wait()
        await viewer.room.disconnect()


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"RUST_LOG": "error"},
    )


def _feed(process: subprocess.Popen[bytes], order: Order, pictures: list[bytes], fps: int) -> None:
    """Write a frame at its time, or the next one when the process is not ready by then."""
    assert process.stdin is not None
    assert process.stdout is not None
    due = time.perf_counter()
    try:
        for message in itertools.chain([msgspec.json.encode(order)], itertools.cycle(pictures)):
            process.stdin.write(prefix(message) + message)
            process.stdin.flush()
            for line in process.stdout:
                if isinstance(msgspec.json.decode(line, type=Report), Ack | Joined):
                    break
            else:
                return
            due = max(due + 1 / fps, now := time.perf_counter())
            time.sleep(due - now)
    except BrokenPipeError:
        pass
    finally:
        process.stdout.close()


class _Viewer:
    """A subscriber that counts what it receives."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.frames = 0
        self.size = (0, 0)
        self.sees = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", self._subscribed)  # pyright: ignore[reportUnknownMemberType]

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        task = asyncio.create_task(self._watch(track))
        self._tasks.add(task)

    async def _watch(self, track: rtc.Track) -> None:
        async for event in rtc.VideoStream(track):
            self.size = (event.frame.width, event.frame.height)
            if event.frame.height > 2:  # the SDK shows two black pixels first
                self.frames += 1
                self.sees.set()


def _token(room: str, identity: str) -> str:
    grants = VideoGrants(room_join=True, room=room)
    return AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()
