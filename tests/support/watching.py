"""A client that watches a room's pictures, through LiveKit's own client library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from tests.support.jpegs import Colour
from tests.support.tracks import video_frames


@dataclass(frozen=True, slots=True)
class Picture:
    """What a viewer saw.

    Attributes:
        colour: Of the lower half, on average.
        bar: The middle of the bright columns of the upper half.
    """

    width: int
    height: int
    colour: Colour
    bar: int

    def is_of(self, width: int, height: int, colour: Colour) -> bool:
        """As it was sent, as far as a lossy codec lets it."""
        near = all(abs(ours - theirs) <= 12 for ours, theirs in zip(self.colour, colour, strict=True))
        return (self.width, self.height) == (width, height) and near


class Watcher:
    """A participant who subscribes to everything."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.pictures: list[Picture] = []
        self.came_at = 0.0
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", self._subscribed)

    async def until(self, wanted: Callable[[Picture], bool], seconds: float = 60.0, count: int = 1) -> list[Picture]:
        """The pictures from now on, once `count` of them are as wanted."""
        start = len(self.pictures)
        async with asyncio.timeout(seconds):
            while sum(map(wanted, self.pictures[start:])) < count:
                self._changed.clear()
                await self._changed.wait()
        return [picture for picture in self.pictures[start:] if wanted(picture)]

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteVideoTrack):
            task = asyncio.create_task(self._watch(track), name="watch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _watch(self, track: rtc.RemoteVideoTrack) -> None:
        async for event in video_frames(track, format=rtc.VideoBufferType.RGB24):
            frame = event.frame
            if frame.height < 16:
                continue  # LiveKit's client shows two black pixels before the first picture
            pixels = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.width, 3)
            low = pixels[frame.height * 2 // 3 :].reshape(-1, 3).mean(0)
            columns = pixels[: frame.height // 3].sum(2).mean(0)
            bar = int(np.flatnonzero(columns * 2 > columns.max()).mean()) if columns.max() else 0
            self.pictures.append(Picture(frame.width, frame.height, (round(low[0]), round(low[1]), round(low[2])), bar))
            self._changed.set()

    async def leave(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()


@asynccontextmanager
async def watching(url: str, token: str) -> AsyncGenerator[Watcher]:
    """A participant who came in."""
    watcher = Watcher()
    await watcher.room.connect(url, token)
    watcher.came_at = time.monotonic()
    try:
        yield watcher
    finally:
        await watcher.leave()
