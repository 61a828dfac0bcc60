"""Flash and beep: picture and sound that belong together come together, by the time stamps that are published."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from stagedoor.streams.media.child.audio import AudioPipeline
from stagedoor.streams.media.child.flv_input import FlvInput
from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.child.timeline import Timeline
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.protocol import StreamLimits
from tests.streams.media.publishing import media_workers, playing, published, token
from tests.support.av_sync import watch_offsets
from tests.support.flv import HEADER, Tag, encode
from tests.support.product import ExternalLiveKit

FPS = 25
EVERY = 2 * FPS
"""A flash and a beep of one frame's length every two seconds."""


def flashing(seconds: float, **given: Any) -> list[Tag]:
    rate = given.get("rate", 48_000)

    def paint(number: int) -> av.VideoFrame:
        shade = 235 if number % EVERY == EVERY // 2 else 16
        return av.VideoFrame.from_ndarray(np.full((120, 160, 3), shade, np.uint8), format="rgb24")

    def sound(first: int, count: int) -> np.ndarray[Any, Any]:
        at = np.arange(first, first + count)
        within = (at / rate * FPS) % EVERY
        return np.where((within >= EVERY // 2) & (within < EVERY // 2 + 1), 0.8 * np.sin(at * 0.3), 0.0)

    return encode(seconds, size=(160, 120), fps=FPS, paint=paint, sound=sound, **given)


def packets(tags: list[Tag]) -> Iterator[MediaPacket]:
    """As a worker reads them, with the source's own time stamps."""
    ours, its = socket.socketpair()
    data = HEADER + b"".join(one.data for one in tags)
    writing = threading.Thread(target=lambda: (ours.sendall(data), ours.close()))
    writing.start()
    yield from FlvInput(its).packets()
    writing.join()


def offsets(tags: list[Tag], transcoding: Any = "auto") -> list[float]:
    """Milliseconds from each beep to its flash in what is published, were each packet to come at its time."""
    video, audio, timeline = VideoPipeline(transcoding, StreamLimits()), AudioPipeline(), Timeline()
    video.key_wanted = False
    sight, hearing = av.CodecContext.create("h264", "r"), av.CodecContext.create("libopus", "r")
    assert isinstance(sight, VideoCodecContext)
    assert isinstance(hearing, AudioCodecContext)
    hearing.sample_rate, hearing.layout = 48_000, "stereo"
    flashes, beeps = list[int](), list[int]()
    arrival, last = 10**9, None
    for one in packets(tags):
        arrival += max(0, min(one.dts - last, 100_000)) if last is not None else 0
        last = one.dts
        dts = timeline.place(one.track.kind, one.dts, arrival)
        moved = MediaPacket(one.track, one.data, dts + one.pts - one.dts, dts, one.key, live=True)
        if one.track.kind == "video":
            for unit in video.take(moved):
                packet: Any = av.Packet(unit.data)
                packet.pts = packet.dts = unit.pts
                flashes += [p.pts or 0 for p in sight.decode(packet) if p.to_ndarray(format="gray").mean() > 128]
        else:
            for unit in audio.take(moved):
                for heard in hearing.decode(av.Packet(unit.data)):
                    loud = np.flatnonzero(np.abs(heard.to_ndarray().reshape(-1)[:: heard.layout.nb_channels]) > _LOUD)
                    # 312 samples are the encoder's delay, which receivers skip by the time stamp.
                    beeps += [unit.pts + int(loud[0] * 1_000_000 / 48_000)] if len(loud) else []
    first = [at for number, at in enumerate(beeps) if number == 0 or at - beeps[number - 1] > 500_000]
    return [(at - min(first, key=lambda beep: abs(beep - at))) / 1000 for at in flashes]


_LOUD = 0.1


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"transcoding": "always"},
        {"b_frames": 2},
        {"rate": 44_100},
        {"rate": 32_000, "channels": 1},
        {"audio": "libmp3lame", "rate": 44_100},
    ],
    ids=str,
)
def test_flash_and_beep_are_published_together(made: dict[str, Any]) -> None:
    transcoding = made.get("transcoding", "auto")
    found = offsets(flashing(20, **{name: value for name, value in made.items() if name != "transcoding"}), transcoding)
    assert len(found) >= 8
    assert max(map(abs, found)) < 40, found


def moved(tags: list[Tag], by: Callable[[Tag], int | None]) -> list[Tag]:
    """The tags, each later by so many milliseconds, without those for which it is none."""
    return [one.at(one.ms + step) for one in tags if (step := by(one)) is not None]


JUMPS: dict[str, Callable[[Tag], int | None]] = {
    "an hour forward": lambda one: 0 if one.ms < 10_000 else 3_600_000,
    "five seconds back": lambda one: 0 if one.ms < 10_000 else -5_000,
    "past 24 bits": lambda one: 0xFFFFFF - 9_000,
    "sound pauses": lambda one: None if one.kind == 8 and 7_300 < one.ms < 8_700 else 0,
    "sound has holes": lambda one: None if one.kind == 8 and 200 < one.ms % 500 < 260 else 0,
    "sound jitters": lambda one: one.ms % 3 - 1 if one.kind == 8 else 0,
}


@pytest.mark.parametrize("jump", JUMPS)
def test_they_stay_together_through_jumps_and_gaps(jump: str) -> None:
    headers = [one for one in flashing(20) if one.is_header]
    media = [one for one in flashing(20) if not one.is_header and one.kind != 18]
    found = offsets([*headers, *moved(media, JUMPS[jump])])
    assert len(found) >= 8
    assert max(map(abs, found)) < 40, found


def test_a_slow_audio_clock_is_followed() -> None:
    """The sound of a cheap camera has 7,990 samples where its time stamps have 8,000 (N16)."""
    tags = flashing(120, rate=8_000, channels=1, audio="pcm_mulaw")
    stretched = [one.at(round(one.ms * 8_000 / 7_990)) if one.kind == 8 else one for one in tags]
    found = offsets(sorted(stretched, key=lambda one: (not one.is_header and one.kind != 18, one.ms)))
    beeps_late = [-(number * 2 + 1) * (8_000 / 7_990 - 1) * 1000 for number in range(len(found))]
    assert max(abs(a - b) for a, b in zip(found, beeps_late, strict=True)) < 40


async def test_a_receiver_sees_and_hears_them_together(tmp_path: Path) -> None:
    """By LiveKit's default each track is a stream of its own, which receivers do not keep in step; `sync_streams`
    changes that, in small steps for half a minute. On a busy machine the buffers add some tens of milliseconds."""
    livekit = ExternalLiveKit(tmp_path, "http://127.0.0.1:9/webhooks/livekit", {"room": {"sync_streams": True}})
    await asyncio.to_thread(livekit.start)
    try:
        async with (
            media_workers() as workers,
            published(workers, livekit, "room") as one,
            watch_offsets(livekit.url.replace("http", "ws", 1), token("room", "ann")) as seen,
            playing(one, flashing(60)),
        ):
            await asyncio.wait_for(seen.until(24), 80)
    finally:
        livekit.kill()
    assert abs(float(np.median(seen.milliseconds[-8:]))) < 100, seen.milliseconds
