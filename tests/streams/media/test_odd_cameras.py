"""Cameras of the field, each odd in its way: what they send is read, and what is published of it can be decoded."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import av
import pytest
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from stagedoor.streams.media import protocol
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.url_input import UrlInput
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.protocol import StreamLimits
from tests.support.rtsp_camera import FPS, Camera, Clip, Script, Sound, camera, clip

CLIP: Final = clip()
LARGER: Final = clip(320, 240)
LARGE: Final = clip(640, 480, bit_rate=6_000_000)
SECOND: Final = 1_000_000


@dataclass
class Seen:
    """What was read of a camera.

    Attributes:
        late: For each packet, by how much it came after the time that it was given, in microseconds.
        interruptions: What was reported while the source was away.
    """

    packets: list[MediaPacket] = field(default_factory=list[MediaPacket])
    late: list[int] = field(default_factory=list[int])
    interruptions: list[protocol.Interrupted] = field(default_factory=list[protocol.Interrupted])

    def of(self, kind: str) -> list[MediaPacket]:
        return [packet for packet in self.packets if packet.track.kind == kind]

    def steps(self) -> list[int]:
        """Between pictures."""
        return [b.dts - a.dts for a, b in pairwise(self.of("video"))]

    def sizes(self) -> list[tuple[int, int]]:
        """Of the pictures that a browser would see."""
        pipeline, found = VideoPipeline("never", StreamLimits()), list[tuple[int, int]]()
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, VideoCodecContext)
        for packet in self.of("video"):
            for unit in pipeline.take(packet):
                with contextlib.suppress(FFmpegError):
                    found += [(picture.width, picture.height) for picture in decoder.decode(av.Packet(unit.data))]
        return found


def read(url: str, pictures: int) -> Seen:
    reading, seen, count = UrlInput(protocol.UrlInput(url, {}, ["127.0.0.0/8"])), Seen(), 0
    reading.report = lambda one: seen.interruptions.append(one) if one is not None else None
    for packet in reading.packets():
        if count >= pictures:  # the end of the connection may cut one
            continue
        seen.packets.append(packet)
        seen.late.append(time.monotonic_ns() // 1000 - packet.dts)
        count += packet.track.kind == "video"
        if count >= pictures:
            reading.close()
    return seen


async def watch(script: Script, pictures: int = 60) -> tuple[Seen, Camera]:
    async with camera(script) as made:
        return await asyncio.wait_for(asyncio.to_thread(read, made.url, pictures), 120), made


DESCRIPTIONS: dict[str, Callable[[str], str]] = {
    "a negative session id": lambda sdp: sdp.replace("o=- 1 1", "o=- -8959200248001175080 17"),
    "a fraction as session id": lambda sdp: sdp.replace("o=- 1 1", "o=- 1698143674.978737 1698143674.978737"),
    "a name in front of the id": lambda sdp: sdp.replace("o=- 1 1", "o=StreamingServer 38990265062388 3899"),
    "e=NONE": lambda sdp: sdp.replace("s=cam\r\n", "s=cam\r\ne=NONE\r\n"),
    "no t=": lambda sdp: sdp.replace("t=0 0\r\n", ""),
    "LF alone": lambda sdp: sdp.replace("\r\n", "\n"),
    "two c=": lambda sdp: sdp.replace("t=0 0", "c=IN IP4 0.0.0.0\r\nt=0 0"),
    "a zero byte at its end": lambda sdp: sdp + "\0",
    "no control for all": lambda sdp: sdp.replace("a=control:*\r\n", ""),
    "a track of events": lambda sdp: sdp + "m=application 0 RTP/AVP 107\r\na=control:track2\r\n",
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
async def test_an_odd_description_is_read(name: str) -> None:
    """N11."""
    seen, _ = await watch(Script(CLIP, sdp=DESCRIPTIONS[name]), 30)
    assert set(seen.sizes()) == {(160, 120)}


def sets_of(other: Clip) -> str:
    return ",".join(base64.b64encode(one).decode() for one in (other.sps, other.pps))


@pytest.mark.parametrize(
    ("form", "in_band"),
    [
        ("", True),
        ("packetization-mode=0", True),
        ("packetization-mode=1;sprop-parameter-sets=####,!!", True),
        (f"packetization-mode=1;sprop-parameter-sets={sets_of(LARGER)}", True),
        (None, False),
    ],
    ids=["no fmtp", "mode 0", "garbage", "of another picture", "in the SDP alone"],
)
@pytest.mark.parametrize("sound", ["none", "aac"])
async def test_parameter_sets_are_found_where_they_are(form: str | None, in_band: bool, sound: Sound) -> None:
    """N12: those of the stream win, and those of the SDP stand before each key frame when the stream has none."""
    seen, _ = await watch(Script(CLIP, sound, form, in_band), 40)
    sizes = seen.sizes()
    assert set(sizes) == {(160, 120)}
    assert len(sizes) >= len(seen.of("video")) - 1


@pytest.mark.parametrize(
    ("sound", "codec"), [("pcmu", "pcm_mulaw"), ("pcma", "pcm_alaw"), ("aac", "aac"), ("opus", "opus")]
)
async def test_sound_is_read_beside_the_picture(sound: Sound, codec: str) -> None:
    seen, _ = await watch(Script(CLIP, sound, reports=True), 50)
    assert {packet.track.codec for packet in seen.packets} == {"h264", codec}
    heard = [packet.dts for packet in seen.of("audio")]
    assert heard == sorted(set(heard))


async def test_the_channels_are_the_cameras() -> None:
    seen, _ = await watch(Script(CLIP, "pcmu", channels=(4, 8)), 30)
    assert {packet.track.kind for packet in seen.packets} == {"video", "audio"}


async def test_a_size_that_changes_is_followed() -> None:
    seen, made = await watch(Script(CLIP, later=(40, LARGER)), 90)
    sizes = seen.sizes()
    assert sizes[0] == (160, 120)
    assert sizes[-1] == (320, 240)
    assert made.sessions == 1


KEEPING: dict[str, dict[str, Any]] = {
    "by GET_PARAMETER": {},
    "by OPTIONS alone, and GET_PARAMETER is 454": {
        "answers": {"GET_PARAMETER": 454},
        "renews": frozenset({"OPTIONS"}),
    },
    "GET_PARAMETER is 501": {"answers": {"GET_PARAMETER": 501}},
    "no answer": {"answers": {"GET_PARAMETER": None}},
}


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
@pytest.mark.parametrize("name", KEEPING)
async def test_a_session_that_times_out_is_kept(name: str, udp: bool) -> None:
    """N15: the camera sends nothing more when it was not asked to go on for three seconds."""
    script = Script(CLIP, session="17;timeout=3", silent_after=3, udp=udp, **KEEPING[name])
    seen, made = await watch(script, 10 * FPS)
    assert made.sessions == 1
    assert seen.interruptions == []


@pytest.mark.parametrize("ending", ["close", "teardown", "stall"])
async def test_a_camera_that_ends_or_stalls_is_connected_to_again(ending: Any) -> None:
    seen, made = await watch(Script(CLIP, pictures=30, ending=ending), 50)
    assert made.sessions == 2
    assert len(seen.interruptions) == 1
    assert "camera has ended" in seen.interruptions[0].message or ending != "teardown"


async def test_a_camera_that_stays_away_is_given_up_after_the_set_time() -> None:
    async with camera(Script(CLIP, pictures=30)) as made:
        reading = UrlInput(protocol.UrlInput(made.url, {}, ["127.0.0.0/8"], stay_seconds=0))
        with pytest.raises(StreamFailed):
            await asyncio.to_thread(list, reading.packets())
        assert made.sessions == 1


async def test_a_camera_that_refuses_options_is_read() -> None:
    seen, _ = await watch(Script(CLIP, answers={"OPTIONS": 501}), 30)
    assert seen.of("video")


async def test_a_camera_without_tcp_is_read_by_udp() -> None:
    seen, made = await watch(Script(CLIP, udp=True), 30)
    assert seen.of("video")
    assert [method for method, _ in made.requests].count("SETUP") == 2


@pytest.mark.parametrize(
    "noise", [b"\r\n\0", b"garbage", bytes(range(256))], ids=["empty lines", "letters", "every byte"]
)
async def test_bytes_that_are_of_no_message_are_skipped(noise: bytes) -> None:
    seen, made = await watch(Script(LARGE, "pcmu", noise=noise), 50)
    assert made.sessions == 1
    assert len(seen.sizes()) >= 45


STAMPS: dict[str, Callable[[int], int]] = {
    "three equal in ten": lambda number: (number - (number % 10 if number % 10 < 3 else 0)) * 3_600,
    "an hour forward": lambda number: number * 3_600 + (number >= 60) * 3_600 * 90_000,
    "five seconds back": lambda number: number * 3_600 - (number >= 60) * 5 * 90_000 + 10 * 90_000,
    "past 32 bits": lambda number: (1 << 32) - 90_000 + number * 3_600,
    "all the same": lambda _: 4_711,
    "they count pictures": lambda number: number,
}


@pytest.mark.parametrize("name", STAMPS)
async def test_pictures_come_at_their_time_whatever_their_stamps(name: str) -> None:
    """N18."""
    seen, made = await watch(Script(CLIP, stamp=STAMPS[name]), 8 * FPS)
    assert made.sessions == 1
    assert min(seen.steps()) > 0
    assert max(map(abs, seen.late[-2 * FPS :])) < SECOND
    assert 0.8 < statistics.mean(seen.steps()[-2 * FPS :]) * FPS / SECOND < 1.25


async def test_a_marker_that_is_never_set_is_not_needed() -> None:
    seen, _ = await watch(Script(LARGE, marker=False), 60)
    assert len(seen.sizes()) >= 55


async def test_lost_and_mixed_up_packets_cost_single_pictures() -> None:
    """N18: by UDP every 50th packet is lost, and others overtake each other."""
    count = 0

    def deliver(_: int, packets: list[bytes]) -> Iterable[bytes]:
        nonlocal count
        sent: list[bytes] = []
        for packet in packets:
            count += 1
            if count % 50:
                sent.insert(len(sent) - (count % 7 == 0), packet)
        return sent

    seen, made = await watch(Script(LARGE, deliver=deliver, udp=True), 150)
    assert made.sessions == 1
    assert len(seen.sizes()) > 100
    assert min(seen.steps()) > 0


@pytest.mark.parametrize("reports", [True, False], ids=["reports", "no reports"])
async def test_a_sound_whose_clock_is_slow_stays_with_the_picture(reports: bool) -> None:
    """N16, five times as slow: without a correction the sound is 150 ms off at the end."""
    speed = 0.994
    seen, _ = await watch(Script(CLIP, "pcmu", sound_speed=speed, reports=reports), 25 * FPS)
    video, sound = seen.of("video"), seen.of("audio")
    pictures = [packet.dts - number * SECOND // FPS for number, packet in enumerate(video)]
    sounds = [packet.dts - int(number * 20_000 / speed) for number, packet in enumerate(sound)]
    begin = statistics.median(sounds[:50]) - statistics.median(pictures[:25])
    end = statistics.median(sounds[-50:]) - statistics.median(pictures[-25:])
    assert abs(end - begin) < 80_000
