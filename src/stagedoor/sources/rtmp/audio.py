"""Audio messages as FLV audio that FFmpeg's demuxer reads; what has no decoder is left out, and the video goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stagedoor.sources.rtmp import enhanced
from stagedoor.sources.rtmp.enhanced import CODED_FRAMES, SEQUENCE_START, Packet, TrackChoice
from stagedoor.sources.rtmp.notices import Notice

_AAC: Final = 10
_EXTENDED: Final = 9
_DECODED: Final = frozenset((0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 14))
_NAMES: Final = {12: "12", 13: "13", 15: "15 (device-specific)"}
_FOUR_CCS: Final = (b"mp4a", b"Opus", b".mp3", b"ac-3", b"ec-3", b"fLaC")
_AAC_HEADER: Final = 0xAF
"""AAC, 44.1 kHz, 16 bits, stereo, which is what AAC in FLV always says; the configuration has the truth."""

TRACKS: Final = Notice(
    "audio_tracks_left_out",
    "The encoder sends several audio tracks; the first is taken. Select one track in the encoder.",
    "audio",
)


class Sound(NamedTuple):
    """One audio tag's payload.

    Attributes:
        distinct: Whether it is sound, and not a codec's configuration.
    """

    payload: bytes
    distinct: bool


class AudioReader:
    """The audio messages of one stream.

    Attributes:
        notices: Peculiarities that were noticed, to be taken away by the reader's owner.
    """

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._choice = TrackChoice()
        self._several = False
        self._left_out: set[str] = set()

    def read(self, payload: bytes) -> Iterator[Sound]:
        """The sound and configurations in a message.

        Raises:
            ProtocolError: It is cut off.
        """
        if len(payload) < 2:
            return
        form = payload[0] >> 4
        if form == _EXTENDED:
            yield from self._extended(payload)
        elif not self._choice.takes(Packet(CODED_FRAMES, b"", 0, b"")):
            return
        elif form == _AAC:
            yield Sound(payload, payload[1] != SEQUENCE_START)
        elif form in _DECODED:
            yield Sound(payload, distinct=True)
        else:
            self._leave_out(f"FLV's sound format {_NAMES[form]}", f"flv-{form}")

    def _extended(self, payload: bytes) -> Iterator[Sound]:
        for packet in enhanced.packets(payload, video=False):
            if not self._choice.takes(packet):
                if not self._several:
                    self._several = True
                    self.notices.append(TRACKS)
            elif packet.codec not in _FOUR_CCS:
                four_cc = packet.codec.decode("ascii", "replace")
                self._leave_out(f"the FourCC {four_cc!r}", four_cc)
            elif packet.codec == b"mp4a":
                if packet.kind in (SEQUENCE_START, CODED_FRAMES):
                    yield Sound(bytes((_AAC_HEADER, packet.kind)) + packet.body, packet.kind == CODED_FRAMES)
            elif packet.kind in (SEQUENCE_START, CODED_FRAMES):
                yield Sound(
                    bytes((_EXTENDED << 4 | packet.kind,)) + packet.codec + packet.body, packet.kind == CODED_FRAMES
                )

    def _leave_out(self, name: str, codec: str) -> None:
        if name not in self._left_out and len(self._left_out) < enhanced.MOST_TRACKS:
            self._left_out.add(name)
            sentence = f"Audio with {name} has no decoder and is left out; set the encoder to AAC."
            self.notices.append(Notice("audio_left_out", sentence, "audio", codec))
