"""The packets since a source's last key frame, from which a picture can be had at any time."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import ctypes
from collections import deque
from collections.abc import Iterator
from typing import Final

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from stagedoor.streams.media.child.media import MediaPacket, Track

KEPT_PACKETS: Final = 600
KEPT_BYTES: Final = 8 << 20
"""Of a longer group of pictures the oldest packets are decoded as they come."""


def _trim() -> None:
    """Return freed memory to the system: a worker decodes for a moment and then passes packets on for hours."""
    with contextlib.suppress(AttributeError, OSError):  # musl has no such function
        ctypes.CDLL(None).malloc_trim(0)


class RunningGroup:
    """Keeps encoded packets, and decodes them when their pictures are wanted."""

    def __init__(self) -> None:
        self._packets: deque[MediaPacket] = deque()
        self._bytes = 0
        self._decoder: VideoCodecContext | None = None
        self._track: Track | None = None

    @property
    def decodable(self) -> bool:
        """Whether a picture can come of it."""
        return bool(self._packets) or self._decoder is not None

    def add(self, packet: MediaPacket) -> None:
        """Keep a packet; a key frame begins a new group."""
        if packet.track != self._track:
            self._track, self._decoder = packet.track, None
            self._clear()
        if packet.key:
            self._clear()
        elif not self.decodable:
            return  # nothing can be decoded before a key frame
        self._packets.append(packet)
        self._bytes += len(packet.data)
        while len(self._packets) > KEPT_PACKETS or self._bytes > KEPT_BYTES:
            self._decode_one()

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Decode all that is kept."""
        while self._packets:
            yield from self._decode_one()

    def release(self) -> None:
        """Give the decoder's memory back; what is kept begins with a key frame."""
        if self._decoder is not None:
            self._decoder = None
            _trim()

    def _decode_one(self) -> list[av.VideoFrame]:
        packet = self._packets.popleft()
        self._bytes -= len(packet.data)
        if self._decoder is None:
            self._decoder = packet.track.video_decoder()
        with contextlib.suppress(FFmpegError):
            return self._decoder.decode(packet.packet())
        return []  # what is broken shows for a moment; the stream goes on

    def _clear(self) -> None:
        self._packets.clear()
        self._bytes = 0
