"""A file that is pulled is shown from its first picture on to who is in the room already."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from stagedoor.streams.media.protocol import Layers, PublishTarget, Report, UrlInput
from stagedoor.streams.media.stream import StreamSpec
from tests.streams.media.publishing import Published, media_workers, token, watched
from tests.support.api_tenant import fresh
from tests.support.flv import HEADER, encode
from tests.support.http_camera import Request, answer, http_camera
from tests.support.jpegs import RED
from tests.support.product import ExternalLiveKit

SECONDS: Final = 6
FPS: Final = 5
"""Few pictures, so that a busy client shows them all."""
STEP: Final = 8
"""How far the bar moves from picture to picture, beginning at the left."""


def film(b_frames: int) -> bytes:
    return HEADER + b"".join(tag.data for tag in encode(SECONDS, fps=FPS, group=10, b_frames=b_frames))


@pytest.mark.parametrize(
    ("b_frames", "layers"), [(0, "single"), (2, "single"), (0, "ladder")], ids=["as it is", "transcoded", "ladder"]
)
async def test_it_is_seen_from_its_first_picture_on(
    bare_livekit: ExternalLiveKit, b_frames: int, layers: Layers
) -> None:
    room, movie = fresh("room"), film(b_frames)
    reports: list[Report] = []

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(movie, "video/x-flv"))

    async def target() -> PublishTarget:
        return PublishTarget(f"{bare_livekit.url}/whip/v1", token(room, "film"))

    async with http_camera(script) as server, media_workers() as workers, watched(bare_livekit, room) as ann:
        source = UrlInput(server.url, allowed_networks=["127.0.0.0/8"])
        one = Published(workers.open(StreamSpec(room, source, target, reports.append, layers=layers)), reports)
        ended = await asyncio.wait_for(asyncio.shield(one.stream.ended), 60)
        seen = [picture.bar // STEP for picture in ann.pictures if picture.is_of(320, 240, RED)]
    assert ended.code == "source_ended"
    assert seen[0] <= 2, "LiveKit's client drops single pictures on a busy machine"
