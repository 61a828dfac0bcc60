"""What composing a room costs at 720p25 for 1, 4 and 9 participants, beside FFmpeg alone doing the same from files.

Each participant publishes the pictures of a file, 640x360 at 25 a second, and a tone. FFmpeg alone decodes that file as
often at its pace, scales, stacks and mixes them in one `-filter_complex`, and encodes with the same settings
of x264 and AAC: it takes nothing from a network, and is the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import av
import psutil
from livekit import rtc
from tests.streams.media.publishing import media_workers, token
from tests.support.composed import Seen, composed, is_near
from tests.support.product import ExternalLiveKit
from tests.support.room_people import person

from benchmarks.support.plan import Plan
from benchmarks.support.processes import cpu_seconds, pss_mb
from benchmarks.support.report import Line, number, say

_PARTICIPANTS: Final = (1, 4, 9)
_WARM_SECONDS: Final = 4.0
_SIZE: Final = (1280, 720)
_FPS: Final = 25
_ENCODER: Final = (
    *("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "high", "-crf", "24"),
    *("-maxrate", "2304000", "-bufsize", "2304000", "-g", "50", "-threads:v", "1"),
    *("-c:a", "aac", "-b:a", "128k", "-f", "null", "-"),
)


def run(plan: Plan) -> list[Line]:
    """The figures."""
    if shutil.which("ffmpeg") is None:
        say("  composition: left out, because there is no ffmpeg")
        return []
    server = ExternalLiveKit(plan.folder, "http://127.0.0.1:9/webhooks/livekit")
    server.start()
    try:
        return asyncio.run(_compare(plan, server))
    finally:
        server.kill()


async def _compare(plan: Plan, livekit: ExternalLiveKit) -> list[Line]:
    seconds, file = 8 if plan.quick else 30, plan.folder / "participant.mp4"
    _run(
        ("-f", "lavfi", "-i", f"testsrc2=s=640x360:r={_FPS}", "-f", "lavfi", "-i", "sine=440:r=48000"),
        ("-t", "40", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-c:a", "aac", str(file)),
    )
    lines: list[Line] = []
    for count in _PARTICIPANTS:
        try:
            cpu, memory = await _ours(livekit, file, count, seconds)
        except AssertionError:
            say(f"  {count} participants: left out, because this machine is too slow to be all of them beside")
            continue
        theirs = await asyncio.to_thread(_ffmpeg_alone, file, count, seconds)
        say(
            f"  {count} participants: {number(cpu)} CPU seconds a minute and {number(memory)} MB,"
            f" FFmpeg alone {number(theirs)} CPU seconds"
        )
        lines.append(Line(f"composed at 720p, {count} participants", cpu, "CPU s/min", "FFmpeg alone", theirs))
    return lines


async def _ours(livekit: ExternalLiveKit, file: Path, count: int, seconds: float) -> tuple[float, float]:
    """CPU seconds a minute of the worker, and its memory. The participants are processes of their own."""
    room = f"bench-{count}"
    people = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.composition",
            livekit.url,
            token(room, f"p{one}"),
            str(file),
            str(300 + 70 * one),
        )
        for one in range(count)
    ]
    try:
        async with (
            media_workers() as workers,
            composed(workers, livekit, room, width=_SIZE[0], height=_SIZE[1], fps=_FPS, empty_seconds=30) as one,
        ):
            await one.until(lambda seen: _shows_all(seen, count))
            await asyncio.sleep(_WARM_SECONDS)
            pid = one.stream.worker_pid
            assert pid is not None
            worker = psutil.Process(pid)
            before = cpu_seconds([worker])
            await asyncio.sleep(seconds)
            found = (cpu_seconds([worker]) - before) * 60 / seconds, pss_mb(pid)
            await one.until(lambda seen: _shows_all(seen, count))
            return found
    finally:
        for process in people:
            process.kill()
            await process.wait()


def _shows_all(seen: Seen, count: int) -> bool:
    """Whether no tile is dark."""
    if not seen.pictures:
        return False
    columns = {1: 1, 4: 2, 9: 3}[count]
    cells = [((one % columns + 0.5) / columns, (one // columns + 0.5) / columns) for one in range(count)]
    return all(not is_near(seen.colour(*cell), (9, 9, 9), 15) for cell in cells)


def _ffmpeg_alone(file: Path, count: int, seconds: int) -> float:
    """CPU seconds a minute of FFmpeg."""
    inputs = [part for _ in range(count) for part in ("-re", "-i", str(file))]
    before = _children_seconds()
    _run((*inputs, "-t", str(seconds)), ("-filter_complex", _graph(count), "-map", "[v]", "-map", "[a]", *_ENCODER))
    return (_children_seconds() - before) * 60 / seconds


def _graph(count: int) -> str:
    columns = {1: 1, 4: 2, 9: 3}[count]
    wide, high = _SIZE[0] // columns // 2 * 2, _SIZE[1] // columns // 2 * 2
    scaled = "".join(f"[{one}:v]scale={wide}:{high}:flags=bilinear[v{one}];" for one in range(count))
    places = "|".join(f"{one % columns * wide}_{one // columns * high}" for one in range(count))
    videos, sounds = ("".join(f"[{name}]" for name in names) for names in _pads(count))
    stacked = f"{videos}xstack=inputs={count}:layout={places}[v];" if count > 1 else "[v0]null[v];"
    return f"{scaled}{stacked}{sounds}amix=inputs={count}[a]"


def _pads(count: int) -> tuple[Sequence[str], Sequence[str]]:
    return [f"v{one}" for one in range(count)], [f"{one}:a" for one in range(count)]


def _run(before: Sequence[str], after: Sequence[str]) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-filter_threads", "1", *before, *after]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _children_seconds() -> float:
    """CPU seconds of child processes that have ended."""
    times = psutil.Process().cpu_times()
    return times.children_user + times.children_system


async def _publish(url: str, join_token: str, file: str, hertz: float) -> None:
    """Publish the pictures of a file again and again, and a tone."""
    async with person(url, join_token) as one:
        await one.sound(hertz, 0.1)
        source = rtc.VideoSource(640, 360)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        await one.room.local_participant.publish_track(track, options)
        loop, number_ = asyncio.get_running_loop(), 0
        pictures, begin = _pictures(file), loop.time()
        while True:
            source.capture_frame(pictures[number_ % len(pictures)])
            number_ += 1
            await asyncio.sleep(max(0.0, begin + number_ / _FPS - loop.time()))


def _pictures(file: str) -> list[rtc.VideoFrame]:
    """Two seconds of it."""
    source: Any
    with av.open(file) as source:
        decoded = itertools.islice(source.decode(video=0), 2 * _FPS)
        return [
            rtc.VideoFrame(640, 360, rtc.VideoBufferType.I420, picture.to_ndarray().tobytes()) for picture in decoded
        ]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_publish(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
