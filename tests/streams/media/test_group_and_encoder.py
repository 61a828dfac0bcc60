"""What a worker keeps of a stream, and what it encodes, has bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.child.encoder import MAX_LONG_SIDE, MAX_SHORT_SIDE, Encoder, fitting
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track
from stagedoor.streams.media.child.running_group import KEPT_PACKETS, RunningGroup
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.protocol import StreamLimits
from tests.support.flv import picture
from tests.support.jpegs import RED

TRACK = Track("video", "h264", "h264")


def packets(count: int) -> list[MediaPacket]:
    """A group of pictures without an end."""
    encoder = Encoder(64, 48, 25, 0)
    made: list[MediaPacket] = []
    for number in range(count):
        data = encoder.encode(picture(64, 48, RED, number), key=number == 0)
        made.append(MediaPacket(TRACK, data, number * 40_000, number * 40_000, number == 0, live=True))
    return made


def test_of_an_endless_group_the_newest_picture_can_still_be_had() -> None:
    group = RunningGroup()
    for one in packets(KEPT_PACKETS + 50):
        group.add(one)
    assert len(list(group.pictures())) <= KEPT_PACKETS
    [*_, last] = packets(KEPT_PACKETS + 51)
    group.add(last)
    assert [shown.pts for shown in group.pictures()] == [last.pts]


def test_nothing_is_decoded_before_a_key_frame() -> None:
    group = RunningGroup()
    for one in packets(20)[5:]:
        group.add(one)
    assert not group.decodable
    assert list(group.pictures()) == []


@given(st.integers(16, 8_192), st.integers(16, 8_192))
def test_large_pictures_are_made_smaller(width: int, height: int) -> None:
    made = fitting(width, height)
    assert max(made) <= MAX_LONG_SIDE
    assert min(made) <= MAX_SHORT_SIDE
    assert made[0] % 2 == made[1] % 2 == 0
    if max(width, height) <= MAX_LONG_SIDE and min(width, height) <= MAX_SHORT_SIDE:
        assert made == (width & ~1, height & ~1)


def test_a_requested_key_frame_comes_from_the_running_group_and_passing_goes_on_at_the_next() -> None:
    video = VideoPipeline("auto", StreamLimits())
    first, *others = packets(30)
    assert [unit.data for unit in video.take(first)] == [first.data]
    for one in others[:10]:
        assert [unit.data for unit in video.take(one)] == [one.data]
    video.key_wanted = True
    [unit] = video.take(others[10])
    assert unit.key
    assert unit.data != others[10].data
    [following] = video.take(others[11])
    assert not following.key
    again = MediaPacket(TRACK, first.data, 2_000_000, 2_000_000, True, live=True)
    assert [passed.data for passed in video.take(again)] == [first.data]
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    [*_, shown] = [*decoder.decode(av.Packet(unit.data)), *decoder.decode(None)]
    assert (shown.width, shown.height) == (64, 48)


def test_never_does_not_encode_for_a_viewer() -> None:
    video = VideoPipeline("never", StreamLimits())
    first, *others = packets(10)
    video.take(first)
    video.key_wanted = True
    assert [unit.data for one in others for unit in video.take(one)] == [one.data for one in others]


def test_interlaced_video_is_transcoded() -> None:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 128, 96, "yuv420p"
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "tff=1"}
    context.time_base = Fraction(1, 25)
    frame = picture(128, 96, RED, 0).reformat(format="yuv420p")
    frame.pts = 0
    encoder: Any = context
    [data] = [bytes(one) for one in encoder.encode(frame)]
    one = MediaPacket(TRACK, data, 0, 0, True, live=True)
    with pytest.raises(StreamFailed, match="progressive"):
        VideoPipeline("never", StreamLimits()).take(one)


def test_b_frames_that_are_absent_for_ten_seconds_are_passed_through_again_at_a_key_frame() -> None:
    """An encoder's groups can last long: FFmpeg's x264 has 250 pictures in one."""
    pipeline = VideoPipeline("auto", StreamLimits())
    encoder = Encoder(64, 48, 25, 0)
    passed: list[bool] = []
    for number in range(25 * 25):
        key = number % 275 == 0
        data = encoder.encode(picture(64, 48, RED, number), key=key)
        at = (number + 1) * 40_000
        shown = at - 60_000 if number in (10, 12) else at
        pipeline.take(MediaPacket(TRACK, data, shown, at, key, live=True))
        assert pipeline.state is not None
        passed.append(pipeline.state.passthrough)
    assert passed[5]
    assert not passed[20]
    assert not passed[274], "it goes back at a key frame"
    assert passed[276]
