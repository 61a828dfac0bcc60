"""Video of which nothing can be decoded ends its stream in a bounded time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stagedoor.streams.media.child.flv_input import FlvInput
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.stream import Stream
from stagedoor.streams.media.child.undecodable import HEADER_MS
from stagedoor.streams.media.flv import LIVE_MARK
from stagedoor.streams.media.protocol import Ended, Order, Report
from stagedoor.streams.media.protocol import FlvInput as FlvOrder
from tests.streams.media.test_group_and_encoder import packets
from tests.support.flv import HEADER, encode


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
