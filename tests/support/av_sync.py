"""When a participant sees flashes and hears beeps, through LiveKit's client library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from livekit import rtc

from tests.support.tracks import audio_frames, video_frames


@dataclass
class Offsets:
    """Times of flashes and beeps as they were received."""

    flashes: list[float] = field(default_factory=list[float])
    beeps: list[float] = field(default_factory=list[float])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def milliseconds(self) -> list[float]:
        """From each beep to the flash that is nearest."""
        return [
            round((min(self.flashes, key=lambda flash: abs(flash - beep)) - beep) * 1000)
            for beep in self.beeps
            if self.flashes
        ]

    async def until(self, count: int) -> None:
        """Wait for so many of each."""
        while min(len(self.flashes), len(self.beeps)) < count:
            self._changed.clear()
            await self._changed.wait()

    def note(self, times: list[float], now: float) -> None:
        """Note the beginning of one."""
        if not times or now - times[-1] > 0.5:
            times.append(now)
            self._changed.set()


@asynccontextmanager
async def watch_offsets(url: str, token: str) -> AsyncGenerator[Offsets]:
    """A participant who looks and listens."""
    room, seen, tasks = rtc.Room(), Offsets(), list[asyncio.Task[None]]()

    async def look(track: rtc.RemoteVideoTrack) -> None:
        async for event in video_frames(track, format=rtc.VideoBufferType.I420):
            now = time.monotonic()
            frame = event.frame
            if np.frombuffer(frame.data, np.uint8, frame.width * frame.height).mean() > 128:
                seen.note(seen.flashes, now)

    async def listen(track: rtc.RemoteAudioTrack) -> None:
        async for event in audio_frames(track, sample_rate=48_000, num_channels=1, frame_size_ms=10):
            now = time.monotonic()
            loud = np.flatnonzero(np.abs(np.frombuffer(event.frame.data, np.int16)) > 3_000)
            if len(loud):
                seen.note(seen.beeps, now - (480 - int(loud[0])) / 48_000)

    def subscribed(track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteVideoTrack):
            tasks.append(asyncio.create_task(look(track)))
        elif isinstance(track, rtc.RemoteAudioTrack):
            tasks.append(asyncio.create_task(listen(track)))

    room.on("track_subscribed", subscribed)
    await room.connect(url, token)
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await room.disconnect()
