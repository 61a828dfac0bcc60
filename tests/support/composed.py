"""A composition that runs in a real media worker, and what is found in its output by decoding it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from livekit.api import AccessToken, VideoGrants

from stagedoor.streams.media.protocol import CompositionInput, PublishTarget, Report, SegmentOutput
from stagedoor.streams.media.segments import Header, Initialization, Part
from stagedoor.streams.media.stream import MediaStream, StreamSpec
from stagedoor.streams.media.workers import MediaWorkers
from tests.support.jpegs import Colour
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually

RATE = 48_000
_PATIENCE_SECONDS = 60.0


@dataclass
class Seen:
    """What a player would have shown and played.

    Attributes:
        pictures: Time in seconds, and RGB.
        began: When the first sample is played.
        sound: The samples of the left channel.
    """

    pictures: list[tuple[float, np.ndarray]] = field(default_factory=list[tuple[float, np.ndarray]])
    began: float = 0.0
    sound: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def colour(self, x: float, y: float, number: int = -1) -> Colour:
        """Of the last picture, at a place from 0 to 1."""
        picture = self.pictures[number][1]
        row, column = int(y * picture.shape[0]), int(x * picture.shape[1])
        mean = picture[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3).mean(0)
        return round(mean[0]), round(mean[1]), round(mean[2])

    def loudness(self, hertz: float) -> float:
        """Of a tone, in the last half second; 1 is full scale."""
        samples = self.sound[-RATE // 2 :]
        if len(samples) < RATE // 2:
            return 0.0
        phase = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
        return float(abs((samples * phase * np.hanning(len(samples))).mean()) * 4)


@dataclass
class Composed:
    """A composition of which segments are made."""

    stream: MediaStream
    reports: list[Report] = field(default_factory=list[Report])
    got: list[tuple[Header, bytes]] = field(default_factory=list[tuple[Header, bytes]])

    def take(self, header: Header, media: bytes) -> None:
        """Take what comes."""
        self.got.append((header, media))

    def seen(self, parts: int = 8) -> Seen:
        """The last so many parts, and those before from which they can be decoded."""
        begins = [number for number, (header, _) in enumerate(self.got) if isinstance(header, Initialization)]
        if not begins:
            return Seen()
        mine = self.got[begins[-1] + 1 :]
        first = max(
            (
                number
                for number, (header, _) in enumerate(mine)
                if isinstance(header, Part) and header.independent and number <= max(0, len(mine) - parts)
            ),
            default=None,
        )
        return Seen() if first is None else decode(self.got[begins[-1]][1] + b"".join(one for _, one in mine[first:]))

    async def until(self, wanted: Callable[[Seen], bool], parts: int = 8) -> Seen:
        """What was seen, as soon as it is as wanted; it is decoded when something new has come."""
        count = 0

        async def look() -> Seen | None:
            nonlocal count
            if len(self.got) == count:
                return None
            count = len(self.got)
            # Not on the loop, from which the participants publish.
            seen = await asyncio.to_thread(self.seen, parts)
            return seen if seen.pictures and wanted(seen) else None

        return await eventually(look, _PATIENCE_SECONDS)


@asynccontextmanager
async def composed(
    workers: MediaWorkers, livekit: ExternalLiveKit, room: str, **options: Any
) -> AsyncGenerator[Composed]:
    """A composition of a room, small by default."""
    small: dict[str, Any] = {"width": 640, "height": 360, "fps": 15}
    order = CompositionInput(**(small | options))
    reports: list[Report] = []

    async def target() -> PublishTarget:
        grants = VideoGrants(room_join=True, room=room, hidden=True, can_publish=False)
        token = AccessToken(KEY, SECRET).with_identity("composer").with_kind("agent").with_grants(grants)
        return PublishTarget(f"{livekit.url}/whip/v1", token.to_jwt())

    one = Composed(workers.open(StreamSpec(f"compose {room}", order, target, reports.append)), reports)
    one.stream.start_output(SegmentOutput(2.0, 0.5), one.take)
    try:
        yield one
    finally:
        await one.stream.stop()


def is_near(found: Colour, wanted: Colour, by: int = 30) -> bool:
    """Whether a colour is the one that was sent, as far as two lossy codecs let it."""
    return all(abs(ours - theirs) <= by for ours, theirs in zip(found, wanted, strict=True))


def decode(data: bytes) -> Seen:
    """What a player shows and plays of a file."""
    seen = Seen()
    sounds: list[np.ndarray] = []
    source: Any
    with av.open(io.BytesIO(data), "r") as source:
        for frame in source.decode(*source.streams):
            if isinstance(frame, av.VideoFrame):
                seen.pictures.append((float(frame.time or 0), frame.to_ndarray(format="rgb24")))
            else:
                if not sounds:
                    seen.began = float(frame.time or 0)
                sounds.append(frame.to_ndarray()[0])
    if sounds:
        seen.sound = np.concatenate(sounds)
    return seen
