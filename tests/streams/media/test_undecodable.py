"""Video of which nothing can be decoded ends its stream in a bounded time."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from stagedoor.streams.media.child.flv_input import FlvInput
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.stream import Stream
from stagedoor.streams.media.child.undecodable import HEADER_MS, PICTURE_US
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.flv import LIVE_MARK
from stagedoor.streams.media.protocol import Ended, Layers, Order, Report, StreamLimits
from stagedoor.streams.media.protocol import FlvInput as FlvOrder
from tests.streams.media.publishing import media_workers, playing, published
from tests.streams.media.test_group_and_encoder import packets
from tests.support.api_tenant import fresh
from tests.support.flv import HEADER, encode, tag
from tests.support.product import ExternalLiveKit


def fed(data: bytes) -> Iterator[MediaPacket]:
    ours, its = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    ours.sendall(data)
    ours.close()
    return FlvInput(its).packets()


def test_video_without_its_sequence_header_ends_with_what_the_encoder_must_do() -> None:
    tags = [one for one in encode(2, audio=None) if not one.is_header]
    later = [one.at(one.ms + HEADER_MS) for one in tags]
    with pytest.raises(StreamFailed, match="without its sequence header") as failed:
        list(fed(HEADER + LIVE_MARK + b"".join(one.data for one in (*tags, *later))))
    assert failed.value.ended().code == "undecodable"


def test_a_sequence_header_that_comes_some_seconds_late_is_in_time() -> None:
    tags = encode(2, audio=None)
    (header,) = (one for one in tags if one.is_header)
    early = [one for one in tags if not one.is_header]
    late = [header.at(3_000), *(one.at(one.ms + 3_000) for one in early)]
    found = list(fed(HEADER + LIVE_MARK + b"".join(one.data for one in (*early, *late))))
    assert any(packet.key and packet.dts for packet in found)


class Source:
    """Packets as a test has them."""

    def __init__(self, made: list[MediaPacket]) -> None:
        self._made = made

    def packets(self) -> Iterator[MediaPacket]:
        yield from self._made

    def close(self) -> None:
        """There is nothing to end."""


def ended(made: list[MediaPacket]) -> Ended:
    """The end of a stream of these packets, which reaches no LiveKit."""
    reports: list[Report] = []
    stream = Stream(Order("one", FlvOrder(), "http://127.0.0.1:9/whip"), Source(made), reports.append)
    stream.start()
    stream.join(60)
    (last,) = (one for one in reports if isinstance(one, Ended))
    return last


def test_broken_pictures_end_the_stream() -> None:
    (first, *_) = packets(1)
    broken = replace(first, data=b"\x00\x00\x00\x01\x65" + bytes(range(1, 200)), key=True)
    made = [replace(broken, pts=at * 1_000_000, dts=at * 1_000_000) for at in range(40)]
    found = ended(made)
    assert found.code == "undecodable"
    assert "No picture" in found.message


SECOND = 1_000_000
LATER = PICTURE_US // SECOND + 5


def going_on(found: list[MediaPacket], data: Callable[[int], bytes], seconds: int = LATER) -> list[MediaPacket]:
    """The packets, and then others with this data at 25 a second, which are marked like them."""
    begin = found[-1].dts
    made = list(found)
    for number in range(25 * seconds):
        at = begin + (number + 1) * 40_000
        made.append(replace(found[-1], data=data(number), pts=at, dts=at, key=number % 50 == 0))
    return made


def take_all(video: VideoPipeline, made: list[MediaPacket]) -> None:
    for packet in made:
        video.take(packet)


def noise(number: int) -> bytes:
    return random.Random(number).randbytes(200)


NOISES: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda _: b"",
    "no NAL unit": noise,
    "NAL units of noise": lambda number: b"\0\0\0\1" + noise(number),
    "slices of noise": lambda number: b"\0\0\0\1\x41" + noise(number),
    "key frames of noise": lambda number: b"\0\0\0\1\x65" + noise(number),
}


@pytest.mark.parametrize("data", NOISES.values(), ids=NOISES)
def test_noise_after_good_pictures_ends_the_stream(data: Callable[[int], bytes]) -> None:
    video = VideoPipeline("auto", StreamLimits())
    made = going_on(packets(30), data)
    with pytest.raises(StreamFailed, match="broken") as failed:
        take_all(video, made)
    assert failed.value.ended().code == "undecodable"


def test_noise_in_place_of_a_codec_that_is_transcoded_ends_the_stream_too() -> None:
    tags = encode(2, audio=None, codec="libx265")
    good = [one for one in fed(HEADER + LIVE_MARK + b"".join(one.data for one in tags)) if one.track.kind == "video"]
    video = VideoPipeline("auto", StreamLimits())
    made = going_on(good, noise)
    with pytest.raises(StreamFailed, match="broken"):
        take_all(video, made)


def test_a_minute_of_noise_in_each_third_picture_is_no_end() -> None:
    good = packets(26)
    whole = good[-1].data
    made = going_on(good, lambda number: whole if number % 3 else noise(number), 60)
    take_all(VideoPipeline("auto", StreamLimits()), made)


def test_pictures_after_some_noise_are_no_end() -> None:
    good = packets(26)
    whole = good[-1].data
    made = going_on(good, lambda number: noise(number) if number < 600 else whole, 60)
    take_all(VideoPipeline("auto", StreamLimits()), made)


def test_a_slow_camera_with_a_broken_picture_goes_on() -> None:
    good = packets(26)
    video = VideoPipeline("auto", StreamLimits())
    for number, packet in enumerate(going_on(good, lambda _: good[-1].data)):
        at = number * 20 * SECOND
        video.take(replace(packet, data=noise(number) if number == 30 else packet.data, pts=at, dts=at))


def test_parameter_sets_on_their_own_are_no_damage() -> None:
    made = going_on(packets(26), lambda _: b"\0\0\0\1\x09\xf0")
    take_all(VideoPipeline("auto", StreamLimits()), made)


def test_video_messages_without_pictures_end_the_stream() -> None:
    tags = encode(2, audio=None)
    empty = [tag(9, 2_000 + number * 40, b"\x27\x77" + noise(number)) for number in range(25 * LATER)]
    with pytest.raises(StreamFailed, match="broken") as failed:
        list(fed(HEADER + LIVE_MARK + b"".join(one.data for one in (*tags, *empty))))
    assert failed.value.ended().code == "undecodable"


@pytest.mark.parametrize("layers", ["single", "ladder"])
async def test_a_published_stream_that_turns_to_noise_ends(bare_livekit: ExternalLiveKit, layers: Layers) -> None:
    tags = encode(4)
    late = [
        tag(9, 4_000 + number * 40, b"\x27\1\0\0\0" + len(body).to_bytes(4, "big") + body)
        for number in range(25 * LATER)
        for body in (b"\x41" + noise(number),)
    ]
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, fresh("room"), layers=layers) as one,
        playing(one, [*tags, *late]),
    ):
        await one.until_published()
        over = await asyncio.wait_for(asyncio.shield(one.stream.ended), 90)
    assert (over.code, over.retry) == ("undecodable", False)
    assert "any more" in over.message
