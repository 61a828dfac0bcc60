"""Streams that tests publish through real media workers into a real LiveKit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from livekit import rtc
from livekit.api import AccessToken, VideoGrants

from stagedoor.streams.media.protocol import (
    Changed,
    Ended,
    FlvInput,
    Layers,
    Publishing,
    PublishTarget,
    Report,
    StreamLimits,
    Transcoding,
    VideoState,
)
from stagedoor.streams.media.settings import MediaWorkerSettings
from stagedoor.streams.media.stream import MediaStream, StreamSpec
from stagedoor.streams.media.workers import MediaWorkers
from tests.support.flv import HEADER, Tag, play
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually
from tests.support.watching import Watcher, watching


def token(room: str, identity: str) -> str:
    grants = VideoGrants(room_join=True, room=room)
    return AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()


@asynccontextmanager
async def watched(livekit: ExternalLiveKit, room: str, identity: str = "ann") -> AsyncGenerator[Watcher]:
    async with watching(livekit.url.replace("http", "ws", 1), token(room, identity)) as watcher:
        yield watcher


async def choose(watcher: Watcher, quality: rtc.VideoQuality.ValueType) -> None:
    """What a client does whose line or window is small; LiveKit says some time after the first picture that there
    are layers."""

    async def chosen() -> bool:
        found = [
            publication
            for participant in watcher.room.remote_participants.values()
            for publication in participant.track_publications.values()
            if publication.kind == rtc.TrackKind.KIND_VIDEO and publication.simulcasted
        ]
        for publication in found:
            publication.set_video_quality(quality)
        return bool(found)

    await eventually(chosen)


@asynccontextmanager
async def media_workers(load: float = 1.0) -> AsyncGenerator[MediaWorkers]:
    workers = MediaWorkers(MediaWorkerSettings(media_load=load))
    workers.prepare()
    running = asyncio.create_task(workers.run())
    await asyncio.sleep(0)
    try:
        yield workers
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@dataclass
class Published:
    """One stream, and what was reported of it."""

    stream: MediaStream
    reports: list[Report] = field(default_factory=list[Report])

    @property
    def video(self) -> VideoState | None:
        """What is published of the video."""
        shown = [one for one in self.reports if isinstance(one, Publishing | Changed)]
        return shown[-1].video if shown else None

    @property
    def ended(self) -> Ended | None:
        last = self.reports[-1] if self.reports else None
        return last if isinstance(last, Ended) else None

    async def until_published(self) -> None:
        async def look() -> bool:
            assert self.ended is None, self.ended
            return any(isinstance(one, Publishing) for one in self.reports)

        await eventually(look)

    async def play(self, tags: list[Tag]) -> None:
        """Send tags as an encoder does."""
        await play(tags, self.stream.write, drained=self.stream.drained)


@asynccontextmanager
async def published(
    workers: MediaWorkers,
    livekit: ExternalLiveKit,
    room: str,
    *,
    identity: str = "enc",
    transcoding: Transcoding = "auto",
    limits: StreamLimits | None = None,
    layers: Layers = "single",
) -> AsyncGenerator[Published]:
    """A stream that is open; FLV's header is written."""
    reports: list[Report] = []

    async def target() -> PublishTarget:
        return PublishTarget(f"{livekit.url}/whip/v1", token(room, identity))

    limits = limits or StreamLimits()
    spec = StreamSpec(f"{room}-{identity}", FlvInput(), target, reports.append, transcoding, limits, layers=layers)
    stream = workers.open(spec)
    stream.write(HEADER)
    try:
        yield Published(stream, reports)
    finally:
        await stream.stop()


@asynccontextmanager
async def playing(one: Published, tags: list[Tag]) -> AsyncGenerator[asyncio.Task[None]]:
    """The encoder sends meanwhile."""
    task = asyncio.create_task(one.play(tags))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
