"""A stream in layers: each viewer gets the size that fits their line, and unwatched sizes are not encoded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from livekit import rtc
from livekit.api import LiveKitAPI
from livekit.protocol.room import RoomParticipantIdentity

from stagedoor.streams.media.protocol import StreamLimits
from tests.streams.media.publishing import Published, choose, media_workers, playing, published, watched
from tests.support.api_tenant import fresh
from tests.support.flv import Tag, encode
from tests.support.jpegs import RED
from tests.support.product import KEY, SECRET, ExternalLiveKit, eventually

SIZE = (1280, 720)


def moving(seconds: float) -> list[Tag]:
    """A stream of so many seconds, of which twenty are encoded."""
    tags = encode(20, size=SIZE)
    media = [one for one in tags if not one.is_header and one.kind != 18]
    rounds = range(1, round(seconds / 20))
    return [*tags, *(one.at(one.ms + number * 20_000) for number in rounds for one in media)]


def cpu_seconds(one: Published) -> float:
    pid = one.stream.worker_pid
    assert pid is not None
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_viewers_on_a_bad_line_get_a_smaller_picture_and_others_the_large_one(
    bare_livekit: ExternalLiveKit,
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        watched(bare_livekit, room, "bob") as bob,
        published(workers, bare_livekit, room, layers="ladder") as one,
        playing(one, moving(160)),
    ):
        await bob.until(lambda picture: picture.is_of(*SIZE, RED), count=3)
        await choose(ann, rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await ann.until(lambda picture: picture.is_of(320, 180, RED), count=5)
        seen = await bob.until(lambda picture: picture.is_of(*SIZE, RED), count=25)
        assert len({picture.bar for picture in seen}) > 1, "it stands still"
        await choose(ann, rtc.VideoQuality.VIDEO_QUALITY_HIGH)
        await ann.until(lambda picture: picture.is_of(*SIZE, RED), count=3)
        assert one.video is not None
        assert (one.video.width, one.video.height, one.video.passthrough) == (*SIZE, False)
        assert one.video.reason is not None
        assert "layers" in one.video.reason


async def test_sizes_that_no_viewer_is_on_are_not_encoded(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, layers="ladder") as one,
        playing(one, moving(160)),
        watched(bare_livekit, room) as ann,
    ):

        async def spent(seconds: float = 3.0) -> float:
            before = cpu_seconds(one)
            await asyncio.sleep(seconds)
            return cpu_seconds(one) - before

        await ann.until(lambda picture: picture.is_of(*SIZE, RED), count=3)
        large = await spent()
        await choose(ann, rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await ann.until(lambda picture: picture.is_of(320, 180, RED), count=25)

        async def cheaper() -> bool:
            return await spent() < large * 0.7

        await eventually(cheaper)


async def test_picture_and_sound_come_and_who_is_removed_stays_away(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room, layers="ladder") as one,
        playing(one, encode(40)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)

        async def both() -> bool:
            kinds = {
                its.kind for who in ann.room.remote_participants.values() for its in who.track_publications.values()
            }
            return len(kinds) == 2

        await eventually(both)
        async with LiveKitAPI(bare_livekit.url, KEY, SECRET) as livekit:
            await livekit.room.remove_participant(RoomParticipantIdentity(room=room, identity="enc"))
        ended = await asyncio.wait_for(asyncio.shield(one.stream.ended), 20)
        assert (ended.code, ended.retry) == ("removed_from_room", False)


async def test_a_killed_livekit_is_joined_again(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, layers="ladder") as one,
        playing(one, encode(90)),
    ):
        await one.until_published()
        await asyncio.to_thread(bare_livekit.kill)
        await asyncio.to_thread(bare_livekit.start)
        async with watched(bare_livekit, room) as ann:
            await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)


@pytest.mark.parametrize("limits", [StreamLimits(max_width=160), StreamLimits(max_height=100)])
async def test_a_limit_of_the_app_holds(bare_livekit: ExternalLiveKit, limits: StreamLimits) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, limits=limits, layers="ladder") as one,
        playing(one, encode(10)),
    ):
        ended = await asyncio.wait_for(asyncio.shield(one.stream.ended), 20)
        assert ended.code == "limit_exceeded"
