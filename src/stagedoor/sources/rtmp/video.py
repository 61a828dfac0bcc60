"""Video messages as FLV video that FFmpeg's demuxer reads: one track, and each codec by its usual name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stagedoor.sources.rtmp import enhanced
from stagedoor.sources.rtmp.enhanced import (
    CODED_FRAMES,
    CODED_FRAMES_X,
    METADATA,
    SEQUENCE_END,
    SEQUENCE_START,
    Packet,
    TrackChoice,
)
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.hevc import is_hevc_configuration
from stagedoor.sources.rtmp.notices import Notice

_AVC: Final = 7
_OLD_HEVC: Final = 12
_OLD_CODECS: Final = {2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen Video 2"}
_FOUR_CCS: Final = (b"avc1", b"hvc1", b"av01", b"vp09")
_COMMAND_FRAME: Final = 5

TRACKS: Final = Notice(
    "video_tracks_left_out",
    "The encoder sends several video tracks; the first is taken. Turn multitrack video off.",
    "video",
)


class Picture(NamedTuple):
    """One video tag's payload.

    Attributes:
        distinct: Whether it is a picture, and not a codec's configuration.
    """

    payload: bytes
    distinct: bool


class UnsupportedVideo(Exception):
    """The encoder's video codec is not taken; the message says which is."""


class VideoReader:
    """The video messages of one stream.

    Attributes:
        notices: Peculiarities that were noticed, to be taken away by the reader's owner.
    """

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._choice = TrackChoice()
        self._old_is_hevc = False
        self._several = False

    def read(self, payload: bytes) -> Iterator[Picture]:
        """The pictures and configurations in a message.

        Raises:
            UnsupportedVideo: There is no decoder for its codec.
            ProtocolError: It is cut off.
        """
        if not payload or (payload[0] >> 4 & 7) == _COMMAND_FRAME:
            return
        if payload[0] & 0x80:
            for packet in enhanced.packets(payload, video=True):
                if self._choice.takes(packet):
                    yield from _plain(payload[0] >> 4 & 7, packet)
                elif not self._several:
                    self._several = True
                    self.notices.append(TRACKS)
        elif payload[0] & 0x0F in (_AVC, _OLD_HEVC):
            yield from self._old(payload)
        elif payload[0] & 0x0F in _OLD_CODECS:
            yield Picture(payload, distinct=True)
        else:
            raise UnsupportedVideo(
                f"Video with FLV's codec number {payload[0] & 0x0F} is not taken; set the encoder to H.264."
            )

    def _old(self, payload: bytes) -> Iterator[Picture]:
        """AVC; or HEVC under its own number of China's services, or under AVC's number."""
        if len(payload) > 1 and payload[1] == SEQUENCE_END:
            return
        if len(payload) < 5:
            raise ProtocolError("bad_media", "A video message is cut off.")
        frame, kind = payload[0] >> 4, payload[1]
        if kind == SEQUENCE_START:
            self._old_is_hevc = payload[0] & 0x0F == _OLD_HEVC or is_hevc_configuration(payload[5:])
        if not self._choice.takes(Packet(kind, b"", 0, b"")):
            return
        if not self._old_is_hevc:
            yield Picture(payload, kind == CODED_FRAMES)
        else:
            body = payload[2:] if kind == CODED_FRAMES else payload[5:]
            yield from _plain(frame, Packet(kind, b"hvc1", 0, body))


def _plain(frame: int, packet: Packet) -> Iterator[Picture]:
    """A packet with the header that every FLV demuxer knows for its codec."""
    kind, codec, _, body = packet
    if codec not in _FOUR_CCS:
        raise UnsupportedVideo(
            f"Video with the FourCC {codec.decode('ascii', 'replace')!r} is not taken; set the encoder to H.264."
        )
    if kind not in (SEQUENCE_START, CODED_FRAMES, CODED_FRAMES_X):
        if kind == METADATA and codec != b"avc1":
            yield Picture(bytes((0x80 | frame << 4 | kind,)) + codec + body, distinct=False)
        return
    distinct = kind != SEQUENCE_START
    if codec == b"avc1":
        composition = b"" if kind == CODED_FRAMES else bytes(3)
        yield Picture(bytes((frame << 4 | _AVC, int(distinct))) + composition + body, distinct)
    else:
        yield Picture(bytes((0x80 | frame << 4 | kind,)) + codec + body, distinct)
