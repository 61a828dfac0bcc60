"""The headers of enhanced RTMP: codecs by FourCC, modifiers, and several tracks in one message."""

from __future__ import annotations

from typing import Final, NamedTuple

from stagedoor.sources.rtmp.errors import ProtocolError

SEQUENCE_START: Final = 0
CODED_FRAMES: Final = 1
SEQUENCE_END: Final = 2
CODED_FRAMES_X: Final = 3
"""Of video: coded frames without a composition time."""
METADATA: Final = 4
"""Of video; the same number is the channel layout of audio."""
_VIDEO_MULTITRACK: Final = 6
_AUDIO_MULTITRACK: Final = 5
_MODIFIER: Final = 7
_ONE_TRACK: Final = 0
_MANY_CODECS: Final = 2

MOST_TRACKS: Final = 32
"""In one message."""


class Packet(NamedTuple):
    """A packet of one track.

    Attributes:
        kind: Its packet type.
        codec: Its FourCC.
        track: Its number; 0 if the message has one track.
    """

    kind: int
    codec: bytes
    track: int
    body: bytes


def packets(payload: bytes, *, video: bool) -> list[Packet]:
    """The packets in a message with the extended header.

    Raises:
        ProtocolError: It is cut off.
    """
    kind, at = payload[0] & 0x0F, 1
    while kind == _MODIFIER:  # a time in nanoseconds is the only one there is, and FLV has no place for it
        size = _number(payload, at, 1) + 1
        at += 1
        if size == 256:
            size, at = _number(payload, at, 2) + 1, at + 2
        at += size
        kind = _number(payload, at, 1) & 0x0F
        at += 1
    if kind == (_VIDEO_MULTITRACK if video else _AUDIO_MULTITRACK):
        return _tracks(payload, at)
    if len(payload) < at + 4:
        raise _cut_off()
    return [Packet(kind, payload[at : at + 4], 0, payload[at + 4 :])]


def _tracks(payload: bytes, at: int) -> list[Packet]:
    head = _number(payload, at, 1)
    layout, kind = head >> 4, head & 0x0F
    at += 1
    codec = b""
    if layout != _MANY_CODECS:
        codec, at = payload[at : at + 4], at + 4
    found: list[Packet] = []
    while at < len(payload) and len(found) < MOST_TRACKS:
        if layout == _MANY_CODECS:
            codec, at = payload[at : at + 4], at + 4
        track, at = _number(payload, at, 1), at + 1
        size = len(payload) - at
        if layout != _ONE_TRACK:
            size, at = _number(payload, at, 3), at + 3
        if at + size > len(payload):
            raise _cut_off()
        found.append(Packet(kind, codec, track, payload[at : at + size]))
        at += size
    return found


def _number(payload: bytes, at: int, size: int) -> int:
    if len(payload) < at + size:
        raise _cut_off()
    return int.from_bytes(payload[at : at + size], "big")


def _cut_off() -> ProtocolError:
    return ProtocolError("bad_media", "A message of enhanced RTMP is cut off.")


class TrackChoice:
    """Which of several tracks is taken: the first, or a lower number that comes before its first picture."""

    def __init__(self) -> None:
        self._track: int | None = None
        self._begun = False

    def takes(self, packet: Packet) -> bool:
        """Whether the packet is of the track that is taken."""
        if self._track is None or (not self._begun and packet.track < self._track):
            self._track = packet.track
        if packet.track != self._track:
            return False
        self._begun = self._begun or packet.kind in (CODED_FRAMES, CODED_FRAMES_X)
        return True
