"""Sound of every kind becomes Opus, or is left out with a reason; tracks may come late or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from stagedoor.streams.media.protocol import AudioState, Changed, Publishing
from tests.streams.media.publishing import Published, media_workers, playing, published, token, watched
from tests.support.api_tenant import fresh
from tests.support.av_sync import watch_offsets
from tests.support.flv import Tag, encode, tag
from tests.support.jpegs import RED
from tests.support.product import ExternalLiveKit, eventually


def audio_of(one: Published) -> AudioState | None:
    shown = [report for report in one.reports if isinstance(report, Publishing | Changed)]
    return shown[-1].audio if shown else None


@pytest.mark.parametrize(
    ("made", "codec"),
    [
        ({}, "aac"),
        ({"rate": 44_100, "channels": 1}, "aac"),
        ({"audio": "libmp3lame", "rate": 44_100}, "mp3"),
        ({"audio": "pcm_alaw", "rate": 8_000, "channels": 1}, "pcm_alaw"),
        ({"audio": "pcm_mulaw", "rate": 8_000, "channels": 1}, "pcm_mulaw"),
    ],
    ids=str,
)
async def test_every_kind_of_sound_is_heard(bare_livekit: ExternalLiveKit, made: dict[str, Any], codec: str) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watch_offsets(bare_livekit.url.replace("http", "ws", 1), token(room, "ann")) as heard,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(30, **made)),
    ):

        async def loud() -> bool:
            return len(heard.beeps) > 0

        await eventually(loud)
        audio = audio_of(one)
        assert audio is not None
        assert (audio.codec, audio.sample_rate) == (codec, made.get("rate", 48_000))
        assert audio.channels == made.get("channels", 2)


@pytest.mark.parametrize("first", [0xF0, 0xE0])
async def test_sound_of_an_unknown_kind_is_left_out_and_the_picture_goes_on(
    bare_livekit: ExternalLiveKit, first: int
) -> None:
    """DJI's audio of kind 15, device-specific (N02)."""
    room = fresh("room")
    tags = [tag(8, one.ms, bytes((first,)) + one.body[1:]) if one.kind == 8 else one for one in encode(20)]
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert one.stream.restarts == 0


async def test_a_picture_without_sound_does_not_wait_for_it(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(20, audio=None)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert audio_of(one) is None


async def test_sound_that_comes_five_seconds_later_is_added(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    tags = [one for one in encode(30) if one.kind != 8 or (not one.is_header and one.ms > 5_000)]
    header = next(one for one in encode(1) if one.kind == 8 and one.is_header)
    place = next(number for number, one in enumerate(tags) if one.kind == 8)
    tags.insert(place, header.at(tags[place].ms))
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        watch_offsets(bare_livekit.url.replace("http", "ws", 1), token(room, "bob")) as heard,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=10)
        sid = ann.room.remote_participants["enc"].sid
        assert audio_of(one) is None

        async def loud() -> bool:
            return len(heard.beeps) > 0

        await eventually(loud)
        assert ann.room.remote_participants["enc"].sid == sid
        assert audio_of(one) is not None


async def test_sound_alone_is_published_and_a_picture_can_come_later(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    whole = encode(30)
    tags: list[Tag] = [one for one in whole if one.kind != 9]
    tags += [one.at(6_000 + one.ms) for one in whole if one.kind == 9]
    tags.sort(key=lambda one: one.ms)
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        watch_offsets(bare_livekit.url.replace("http", "ws", 1), token(room, "bob")) as heard,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):

        async def loud() -> bool:
            return len(heard.beeps) > 0

        await eventually(loud)
        assert one.video is None
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20, seconds=60)
        assert one.stream.restarts == 0
