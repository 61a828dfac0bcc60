"""What is passed through, transcoded and refused; a change in the middle keeps the participant."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stagedoor.streams.media.protocol import Limit, StreamLimits
from tests.streams.media.publishing import media_workers, playing, published, watched
from tests.support.api_tenant import fresh
from tests.support.flv import Tag, encode, tag
from tests.support.jpegs import BLUE, GREEN, RED
from tests.support.product import ExternalLiveKit, eventually


def after(tags: list[Tag], later: list[Tag]) -> list[Tag]:
    """Both, one after the other in time."""
    end = max(one.ms for one in tags) + 40
    return [*tags, *(one.at(one.ms + end) for one in later if one.kind != 18)]


async def test_b_frames_are_transcoded_and_the_reason_names_the_setting(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(20, b_frames=3)),
    ):
        seen = await ann.until(lambda picture: picture.is_of(320, 240, RED), count=60)
        bars = [picture.bar for picture in seen]
        # Three pictures at eight columns each; further back is a bar that began again on the left.
        backwards = sum(1 for a, b in pairwise(bars) if -28 <= b - a <= -4)
        assert backwards == 0, "pictures are shown in the order in which they were sent"
        assert one.video is not None
        assert not one.video.passthrough
        assert one.video.reason is not None
        assert "B-frames" in one.video.reason
        assert "0" in one.video.reason


async def test_b_frames_that_begin_later_do_not_cost_the_participant(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    tags = after(encode(6), encode(12, b_frames=2, colour=GREEN))
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert one.video is not None
        assert one.video.passthrough
        sid = ann.room.remote_participants["enc"].sid
        await ann.until(lambda picture: picture.is_of(320, 240, GREEN), count=60)
        assert not one.video.passthrough
        assert ann.room.remote_participants["enc"].sid == sid
        assert one.stream.restarts == 0


async def test_b_frames_that_end_are_passed_through_again(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    tags = after(encode(6, b_frames=2, group=25), encode(20, group=25, colour=GREEN))
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert one.video is not None
        assert not one.video.passthrough

        async def passing() -> bool:
            return one.video is not None and one.video.passthrough

        await eventually(passing)
        await ann.until(lambda picture: picture.is_of(320, 240, GREEN), count=30)


async def test_one_repeated_time_stamp_is_no_b_frame(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    tags = encode(8)
    videos = [number for number, one in enumerate(tags) if one.kind == 9 and not one.is_header]
    for place in videos[20::40]:
        tags[place] = tags[place].at(tags[place].ms - 40)
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        seen = await ann.until(lambda picture: picture.is_of(320, 240, RED), count=100)
        assert len({picture.bar for picture in seen}) > 20
        assert one.video is not None
        assert one.video.passthrough


@pytest.mark.parametrize(
    ("codec", "pixels", "name"),
    [("libx265", "yuv420p", "hevc"), ("libx264", "yuv422p", "h264"), ("libx264", "yuv420p10le", "h264")],
)
async def test_what_browsers_cannot_decode_is_transcoded(
    bare_livekit: ExternalLiveKit, codec: str, pixels: str, name: str
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(20, codec=codec, pixels=pixels)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=30)
        assert one.video is not None
        assert (one.video.codec, one.video.passthrough) == (name, False)
        assert one.video.reason


@pytest.mark.parametrize(
    ("made", "code", "word"),
    [
        ({"b_frames": 2}, "b_frames_not_allowed", "B-frames"),
        ({"codec": "libx265"}, "unsupported_codec", "H.264"),
        ({"pixels": "yuv422p"}, "unsupported_codec", "4:2:0"),
    ],
)
async def test_never_refuses_what_cannot_pass_and_nothing_is_seen_of_it(
    bare_livekit: ExternalLiveKit, made: dict[str, object], code: str, word: str
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room, transcoding="never") as one,
        playing(one, encode(10, **made)),  # pyright: ignore[reportArgumentType]
    ):

        async def over() -> bool:
            return one.ended is not None

        await eventually(over)
        assert one.ended is not None
        assert (one.ended.code, one.ended.retry) == (code, False)
        assert word in one.ended.message
        assert not ann.room.remote_participants
        assert not ann.pictures


async def test_always_transcodes(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room, transcoding="always") as one,
        playing(one, encode(10)),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        assert one.video is not None
        assert not one.video.passthrough


async def test_the_size_changes_in_the_middle(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    tags = after(encode(4), encode(8, size=(480, 272), colour=BLUE))
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
        await ann.until(lambda picture: picture.is_of(480, 272, BLUE), count=20)
        assert one.video is not None
        assert (one.video.width, one.video.height, one.video.passthrough) == (480, 272, True)
        assert one.stream.restarts == 0


async def test_parameter_sets_are_put_before_key_frames_that_have_none(bare_livekit: ExternalLiveKit) -> None:
    """FLV has them in its sequence header alone; a viewer who joins later needs them in the stream."""
    room = fresh("room")
    tags = encode(30, group=50)
    assert all(b"\x67" not in one.body[9:10] for one in tags if one.kind == 9 and not one.is_header)
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, transcoding="never") as one,
        playing(one, tags),
        watched(bare_livekit, room) as ann,
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)


@pytest.mark.parametrize(
    ("limits", "limit", "word"),
    [
        (StreamLimits(max_width=160), "width", "wide"),
        (StreamLimits(max_height=120), "height", "high"),
        (StreamLimits(max_fps=10), "fps", "frames"),
        (StreamLimits(max_bitrate=10_000), "bitrate", "bit rate"),
    ],
)
async def test_a_limit_that_is_exceeded_is_named(
    bare_livekit: ExternalLiveKit, limits: StreamLimits, limit: Limit, word: str
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, limits=limits) as one,
        playing(one, encode(20)),
    ):

        async def over() -> bool:
            return one.ended is not None

        await eventually(over)
        assert one.ended is not None
        assert one.ended.code == "limit_exceeded"
        assert one.ended.limit == limit
        assert word in one.ended.message


async def test_metadata_and_command_frames_are_no_media(bare_livekit: ExternalLiveKit) -> None:
    """DJI's metadata names no track, and some encoders send command frames."""
    room = fresh("room")
    tags = [one for one in encode(10) if one.kind != 18]
    tags.insert(0, tag(18, 0, b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09"))
    tags.insert(9, tag(9, tags[9].ms, b"\x57\x00\x00\x00\x00\x00"))
    async with (
        media_workers() as workers,
        watched(bare_livekit, room) as ann,
        published(workers, bare_livekit, room) as one,
        playing(one, tags),
    ):
        await ann.until(lambda picture: picture.is_of(320, 240, RED), count=20)
