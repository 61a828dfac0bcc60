"""What an encoder's stream costs: passed through and transcoded, beside FFmpeg alone doing the same.

FFmpeg alone is one process that reads the same FLV from a file at its own pace and publishes it by WHIP: the limit.
With `BENCH_GO2RTC` naming its binary, go2rtc takes the same stream by RTMP, without a viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from livekit import rtc
from tests.streams.media.publishing import choose, media_workers, playing, published, token, watched
from tests.support.flv import encode, split
from tests.support.ports import free_ports
from tests.support.product import ExternalLiveKit, wait_for_port

from benchmarks.support.plan import Plan
from benchmarks.support.processes import cpu_seconds, pss_mb
from benchmarks.support.report import Line, number, say
from stagedoor.streams.media.stream import PASSTHROUGH_CORES

_WARM_SECONDS: Final = 5.0
_STREAMS: Final = (1, 10, min(50, int((os.cpu_count() or 1) / PASSTHROUGH_CORES)))
"""The last is what two cores take at once, up to 50."""
_QUICK_STREAMS: Final = (1, 10)
_RIVAL: Final = "BENCH_GO2RTC"
_SMALLEST: Final = 180
_PAUSE_SECONDS: Final = 7.0
"""LiveKit waits 5 s before it pauses a layer that no viewer is on."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one stream: CPU seconds a minute, and memory in MB."""

    cpu: float
    memory: float


def run(plan: Plan) -> list[Line]:
    """The figures."""
    server = ExternalLiveKit(plan.folder, "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    try:
        return asyncio.run(_compare(plan, server))
    finally:
        server.kill()


async def _compare(plan: Plan, server: ExternalLiveKit) -> list[Line]:
    seconds = plan.scaled(20)
    file = plan.folder / "stream.flv"
    await asyncio.to_thread(_make_file, file, seconds + 60)
    lines: list[Line] = []
    for transcoding in ("passed through", "transcoded"):
        limit = await _alone(server, file, seconds, transcode=transcoding == "transcoded")
        several = _QUICK_STREAMS if plan.quick else _STREAMS
        for count in several if transcoding == "passed through" else (1,):
            ours = await _ours(server, file, count, seconds, transcode=transcoding == "transcoded")
            name = f"720p25 {transcoding}, {count} at a time"
            say(f"  {name}: {number(ours.cpu)} CPU s a minute, {number(ours.memory)} MB a stream")
            lines += [
                Line(f"ingest, {name}: CPU", ours.cpu, "CPU s/min", "FFmpeg alone", limit.cpu),
                Line(f"ingest, {name}: memory", ours.memory, "MB", "FFmpeg alone", limit.memory),
            ]
            if transcoding == "passed through" and (rival := os.environ.get(_RIVAL)):
                theirs = await _go2rtc(Path(rival), plan.folder, file, count, seconds)
                lines.append(Line(f"ingest, {name}: CPU", ours.cpu, "CPU s/min", "go2rtc", theirs.cpu))
    lines += await _ladder(server, file, seconds)
    lines.append(await _first_picture(server, plan.rounds))
    return lines


def _make_file(file: Path, seconds: float) -> None:
    """A moving picture at 2 Mbit/s and a tone, with a key frame every two seconds."""
    source = ("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25", "-f", "lavfi", "-i", "sine=1000:r=48000")
    video = ("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-bf", "0", "-g", "50", "-b:v", "2M")
    rate = ("-maxrate", "2M", "-bufsize", "1M", "-pix_fmt", "yuv420p")
    sound = ("-c:a", "aac", "-b:a", "128k", "-ac", "2")
    program = shutil.which("ffmpeg")
    assert program is not None, "there is no ffmpeg"
    subprocess.run(
        [program, "-v", "error", "-y", *source, "-t", str(seconds), *video, *rate, *sound, str(file)], check=True
    )


async def _ours(server: ExternalLiveKit, file: Path, count: int, seconds: float, *, transcode: bool) -> _Cost:
    tags = split(await asyncio.to_thread(file.read_bytes))
    async with media_workers(1.0) as workers, contextlib.AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(
                published(workers, server, f"ours-{number_}", transcoding="always" if transcode else "auto")
            )
            for number_ in range(count)
        ]
        for stream in streams:
            await stack.enter_async_context(playing(stream, tags))
        for stream in streams:
            await stream.until_published()
        await asyncio.sleep(_WARM_SECONDS)
        pids = [pid for pid in workers.pids if pid is not None]
        return await _measure(pids, count, seconds)


async def _ladder(server: ExternalLiveKit, file: Path, seconds: float) -> list[Line]:
    """A stream in layers with viewers on all, on the smallest, and on none, beside LiveKit's SDK with raw pictures."""
    tags = split(await asyncio.to_thread(file.read_bytes))
    lines: list[Line] = []
    async with (
        media_workers() as workers,
        published(workers, server, "ladder", layers="ladder") as one,
        playing(one, tags),
    ):
        await one.until_published()

        async def ours() -> _Cost:
            return await _measure([one.stream.worker_pid or 0], 1, seconds / 2)

        costs = await _with_viewers(server, "ladder", ours)
    command = (sys.executable, "-m", "benchmarks.rivals.sdk_layers", server.url.replace("http", "ws", 1))
    async with _running(*command, token("sdk", "enc")) as rival:

        async def theirs() -> _Cost:
            return await _measure([rival.pid], 1, seconds / 2)

        limits = await _with_viewers(server, "sdk", theirs)
    for name, cost in costs.items():
        beside = "LiveKit's SDK from raw pictures"
        lines.append(Line(f"ingest, 720p25 in layers, {name}: CPU", cost.cpu, "CPU s/min", beside, limits[name].cpu))
    return lines


async def _with_viewers(
    server: ExternalLiveKit, room: str, measured: Callable[[], Awaitable[_Cost]]
) -> dict[str, _Cost]:
    costs: dict[str, _Cost] = {}
    async with watched(server, room) as large, watched(server, room, "bob") as small:
        for viewer in (large, small):
            await viewer.until(lambda picture: picture.height > 0)
        await choose(small, rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await small.until(lambda picture: picture.height == _SMALLEST, count=5)
        costs["viewers on the largest and the smallest"] = await measured()
        await choose(large, rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await large.until(lambda picture: picture.height == _SMALLEST, count=5)
        await asyncio.sleep(_PAUSE_SECONDS)
        costs["viewers on the smallest"] = await measured()
    await asyncio.sleep(_PAUSE_SECONDS)
    costs["no viewer"] = await measured()
    return costs


async def _measure(pids: list[int], count: int, seconds: float) -> _Cost:
    processes = [psutil.Process(pid) for pid in pids]
    began, used = time.perf_counter(), cpu_seconds(processes)
    await asyncio.sleep(seconds)
    cpu = (cpu_seconds(processes) - used) / (time.perf_counter() - began) * 60 / count
    return _Cost(cpu, sum(pss_mb(pid) for pid in pids) / count)


async def _alone(server: ExternalLiveKit, file: Path, seconds: float, *, transcode: bool) -> _Cost:
    """FFmpeg by PyAV in one process, which does nothing else; Debian's FFmpeg has no WHIP."""
    command = [sys.executable, "-m", "benchmarks.rivals.ffmpeg_alone", str(file), f"{server.url}/whip/v1"]
    process = await asyncio.create_subprocess_exec(*command, token("alone", "enc"), "x264" if transcode else "copy")
    try:
        await asyncio.sleep(_WARM_SECONDS)
        return await _measure([process.pid], 1, seconds)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _go2rtc(program: Path, folder: Path, file: Path, count: int, seconds: float) -> _Cost:
    rtmp, api, rtsp, webrtc = free_ports(4)
    names = [f"stream{number_}" for number_ in range(count)]
    config = folder / "go2rtc.yaml"
    listening = f"rtmp: {{listen: ':{rtmp}'}}\napi: {{listen: ':{api}'}}\nrtsp: {{listen: ':{rtsp}'}}\n"
    text = f"{listening}webrtc: {{listen: ':{webrtc}'}}\nstreams:\n" + "".join(f"  {name}:\n" for name in names)
    await asyncio.to_thread(config.write_text, text)
    async with _running(str(program), "-config", str(config)) as server:
        await asyncio.to_thread(wait_for_port, rtmp)
        async with contextlib.AsyncExitStack() as stack:
            for name in names:
                target = f"rtmp://127.0.0.1:{rtmp}/{name}"
                arguments = ("-re", "-i", str(file), "-c", "copy", "-f", "flv", target)
                await stack.enter_async_context(_running("ffmpeg", "-v", "error", *arguments))
            await asyncio.sleep(_WARM_SECONDS)
            return await _measure([server.pid], count, seconds)


@asynccontextmanager
async def _running(*command: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _first_picture(server: ExternalLiveKit, rounds: int) -> Line:
    """From the encoder's first byte to a viewer's first picture, and for a viewer who comes later; a group of 10 s."""
    tags = encode(20, size=(1280, 720), group=250)
    present, late = list[float](), list[float]()
    async with media_workers() as workers:
        for round_ in range(max(rounds, 3)):
            room = f"first-{round_}"
            async with watched(server, room) as viewer:
                began = time.monotonic()
                async with published(workers, server, room) as one, playing(one, tags):
                    await viewer.until(lambda picture: picture.height == 720)
                    present.append(time.monotonic() - began)
                    await asyncio.sleep(1)
                    async with watched(server, room, "late") as second:
                        await second.until(lambda picture: picture.height == 720)
                        late.append(time.monotonic() - second.came_at)
    return Line(
        "ingest, first picture, group of 10 s: viewer who is there",
        statistics.median(present) * 1000,
        "ms",
        "viewer who comes later",
        statistics.median(late) * 1000,
    )
