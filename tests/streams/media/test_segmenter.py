"""Parts and segments of fragmented MP4 have the source's media, whatever it sends."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagedoor.streams.media.child.h264 import nal_units
from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.segments import InvalidMessage, MessageSplitter
from stagedoor.streams.media.segments import encode as message
from tests.support.flv import encode
from tests.support.segmenting import demuxed, packets_of, segmented

SETS = {7, 8}


def pictures(data: bytes) -> list[bytes]:
    """The NAL units of an access unit but its parameter sets."""
    return [unit for unit in nal_units(data) if unit[0] & 0x1F not in SETS]


def decoded(data: bytes, kind: str = "video") -> list[bytes]:
    source: Any
    with av.open(io.BytesIO(data), "r") as source:
        return [frame.to_ndarray().tobytes() for frame in source.decode(**{kind: 0})]


@pytest.mark.parametrize("b_frames", [0, 2])
def test_video_and_audio_packets_are_those_of_the_source(b_frames: int) -> None:
    packets = packets_of(encode(6, b_frames=b_frames))
    (file,) = segmented(packets).files()
    sent = [packet for packet in packets if packet.track.kind == "video"]
    got = demuxed(file, "video")
    assert [pictures(data) for _, _, data in got] == [pictures(packet.data) for packet in sent]
    first = sent[0].dts
    assert [(pts, dts) for pts, dts, _ in got] == [
        (pytest.approx(one.pts - first, abs=20), pytest.approx(one.dts - first, abs=20)) for one in sent
    ]
    sounds = [packet.data for packet in packets if packet.track.kind == "audio" and packet.dts >= first]
    assert [data for _, _, data in demuxed(file, "audio")] == sounds
    assert len(decoded(file)) == len(sent)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=12),
    st.sampled_from([5, 10, 15, 25, 30, 60]),
    st.sampled_from([1.0, 2.0, 4.0]),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_durations_hold_their_targets_for_any_groups_of_pictures(
    groups: list[int], fps: int, segment: float, part: float
) -> None:
    packets = some_video([fps, *groups], fps)
    made = segmented(packets, segment, part)
    frame = 1 / fps
    for parts in made.segments():
        assert round(sum(one.duration for one in parts)) <= segment
        assert all(one.duration <= max(part, frame) + 1e-5 for one in parts)
        assert all(one.duration >= 0.85 * part or frame > 0.15 * part for one in parts[:-1])
    assert sum(one.duration for one in made.parts) == pytest.approx(len(packets) / fps, abs=0.15)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 90), st.sampled_from([0.05, 0.3, 0.7, 1.2, 1.9, 2.3, 2.9, 3.5])), max_size=8),
    st.integers(1, 120),
    st.sampled_from([2.0, 4.0]),
    st.sampled_from(["both", "video", "video alone", "audio alone"]),
)
def test_no_segment_is_longer_than_its_target_after_gaps(
    gaps: list[tuple[int, float]], group: int, segment: float, missing: str
) -> None:
    packets = with_gaps(gaps, group, missing)
    made = segmented(packets, segment)
    for parts in made.segments():
        assert round(sum(one.duration for one in parts)) <= segment
    assert all(one.duration > 0 for one in made.parts)
    if missing != "audio alone" and all(gap < min(segment, 3.0) for _, gap in gaps):
        assert len(made.initializations) == 1, "a gap that fits a segment ends the timeline"
        video = [packet for packet in packets if packet.track.kind == "video"]
        got = demuxed(made.files()[0], "video")
        first = video[0].dts
        assert [dts for _, dts, _ in got] == [pytest.approx(one.dts - first, abs=20) for one in video]
        if missing == "video alone":
            length = (video[-1].dts - first) / 1_000_000
            assert sum(one.duration for one in made.parts) == pytest.approx(length, abs=0.7)


def with_gaps(gaps: list[tuple[int, float]], group: int, missing: str) -> list[MediaPacket]:
    """Pictures and sound, of which a source sends nothing for so many seconds after so many pictures."""
    video, audio, at = list[MediaPacket](), list[MediaPacket](), 1_000_000_000
    silences: list[tuple[int, int]] = []
    for pictures_before, gap in [*gaps, (30, 0.0)]:
        for _ in range(pictures_before):
            video.append(replace(SAMPLE[0 if len(video) % group == 0 else 1], pts=at, dts=at))
            at += 40_000
        silences.append((at, at + int(gap * 1_000_000)))
        at += int(gap * 1_000_000)
    for time in range(1_000_000_000, at, 21_333):
        if missing == "video" or not any(begin <= time < end for begin, end in silences):
            audio.append(replace(SOUND, pts=time, dts=time))
    if missing == "video alone":
        return video
    if missing == "audio alone":
        return audio
    return sorted([*video, *audio], key=lambda packet: packet.dts)


SAMPLE = packets_of(encode(2, audio=None, group=25))
SOUND = packets_of(encode(1, video=False))[0]


def some_video(groups: list[int], fps: int) -> list[MediaPacket]:
    """Packets with key frames where `groups` of pictures begin; the pictures are of no matter."""
    made: list[MediaPacket] = []
    for length in groups:
        for number in range(length):
            at = 1_000_000_000 + len(made) * 1_000_000 // fps
            made.append(replace(SAMPLE[0 if number == 0 else 1], pts=at, dts=at))
    return made


def test_segments_begin_with_key_frames_where_groups_are_short_enough() -> None:
    made = segmented(some_video([25] * 20, 25))
    assert [round(sum(one.duration for one in parts), 2) for parts in made.segments()] == [2.0] * 10
    assert all(parts[0].independent for parts in made.segments())


@pytest.mark.parametrize("codec", ["libmp3lame", "pcm_alaw"])
def test_other_audio_becomes_aac(codec: str) -> None:
    rate = {"libmp3lame": 44_100, "pcm_alaw": 8_000}[codec]
    packets = packets_of(encode(3, audio=codec, rate=rate, channels=1))
    made = segmented(packets)
    assert [one.codecs.partition(",")[2] for one in made.initializations] == ["mp4a.40.2"]
    (file,) = made.files()
    assert len(decoded(file, "audio")) * 1024 / 48_000 == pytest.approx(3, abs=0.2)


def test_a_stream_without_audio_and_one_without_video() -> None:
    (video,) = segmented(packets_of(encode(3, audio=None))).files()
    assert len(decoded(video)) == 75
    made = segmented(packets_of(encode(5, video=False)))
    assert made.initializations[0].codecs == "mp4a.40.2"
    assert all(round(sum(one.duration for one in parts)) <= 2 for parts in made.segments())


def test_what_begins_within_a_group_of_pictures_begins_with_the_next_key_frame() -> None:
    """With both tracks: not with the audio alone while the video waits for its key frame."""
    packets = packets_of(encode(6, group=50))[20:]
    (file,) = segmented(packets).files()
    videos = [packet for packet in packets if packet.track.kind == "video"]
    key = next(number for number, packet in enumerate(videos) if packet.key)
    assert key > 25
    assert [pictures(data) for _, _, data in demuxed(file, "video")] == [pictures(one.data) for one in videos[key:]]
    sounds = [one.data for one in packets if one.track.kind == "audio" and one.dts >= videos[key].dts]
    assert [data for _, _, data in demuxed(file, "audio")] == sounds


def test_pictures_of_other_codecs_are_encoded() -> None:
    packets = packets_of(encode(3, codec="flv", audio=None))
    made = segmented(packets)
    (file,) = made.files()
    assert made.initializations[0].codecs.startswith("avc1.")
    assert len(decoded(file)) == 75


def test_other_parameters_begin_a_timeline_of_their_own() -> None:
    first, second = encode(3), encode(3, size=(640, 360), rate=44_100, channels=1)
    packets = [*packets_of(first), *packets_of(second, begin=1_003_000_000)]
    made = segmented(packets)
    assert [(one.width, one.height) for one in made.initializations] == [(320, 240), (640, 360)]
    assert [len(decoded(file)) for file in made.files()] == [75, 75]


def test_a_gap_in_the_video_begins_a_timeline_of_its_own() -> None:
    packets = [*packets_of(encode(2)), *packets_of(encode(2), begin=1_012_000_000)]
    made = segmented(packets)
    assert len(made.initializations) == 2
    assert sum(one.duration for one in made.parts) == pytest.approx(4, abs=0.1)


def test_what_is_replayed_to_a_new_worker_is_left_out() -> None:
    packets = packets_of(encode(2))
    old = [replace(packet, live=False) for packet in packets_of(encode(2), begin=0)]
    assert len(decoded(segmented([*old, *packets]).files()[0])) == 50


@given(st.binary(max_size=200), st.integers(0, 200))
def test_messages_are_split_however_they_come(media: bytes, cut: int) -> None:
    made = segmented(some_video([25], 25))
    stream = b"".join(message(header, media) for header, _ in made.messages)
    splitter = MessageSplitter()
    got = [*splitter.feed(stream[:cut]), *splitter.feed(stream[cut:])]
    assert got == [(header, media) for header, _ in made.messages]


def test_an_impossible_message_is_an_error() -> None:
    with pytest.raises(InvalidMessage):
        list(MessageSplitter().feed(b"\xff" * 16))
    with pytest.raises(InvalidMessage):
        list(MessageSplitter().feed(b"\0\0\0\2\0\0\0\0[]"))
