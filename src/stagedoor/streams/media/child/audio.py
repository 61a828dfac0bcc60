"""A stream's audio as Opus: passed when it is Opus, otherwise decoded, resampled and encoded."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.stream import Stream

from stagedoor.streams.media.child.media import MediaPacket, Track
from stagedoor.streams.media.child.pcm import RATE, PcmDecoder
from stagedoor.streams.media.protocol import AudioState

SILENCE: Final = b"\xf8\xff\xfe"
"""20 ms of Opus without a sound."""
_BITRATE: Final = {"mono": 64_000, "stereo": 96_000}


@dataclass(frozen=True, slots=True)
class Output:
    """20 ms of Opus, or what the source had packed together."""

    data: bytes
    pts: int


class AudioPipeline:
    """The audio of one stream.

    Attributes:
        bitrate: As measured, for the state.
        changed: Set when `state` has something new.
    """

    def __init__(self) -> None:
        self._track: Track | None = None
        self._decoder: PcmDecoder | None = None
        self._encoder: AudioCodecContext | None = None
        self.bitrate: int | None = None
        self.changed = False

    @property
    def state(self) -> AudioState | None:
        """What is published."""
        track, decoder = self._track, self._decoder
        if track is None:
            return None
        if decoder is None:
            return AudioState(track.codec, track.sample_rate, track.channels, self.bitrate, passthrough=True)
        return AudioState(track.codec, *decoder.parameters, self.bitrate, passthrough=False, reason=decoder.left_out)

    def take(self, packet: MediaPacket) -> list[Output]:
        """What is to be published of this packet."""
        if packet.track != self._track:
            self._track, self._encoder, self.changed = packet.track, None, True
            self._decoder = None if packet.track.codec == "opus" else PcmDecoder(packet.track)
        decoder = self._decoder
        if decoder is None:
            return [Output(packet.data, packet.pts)]
        outputs = [output for frame in decoder.take(packet) for output in self._encode(frame, decoder.layout)]
        self.changed |= decoder.changed
        decoder.changed = False
        return outputs

    def _encode(self, frame: av.AudioFrame, layout: str) -> list[Output]:
        if self._encoder is None:
            self._encoder = _opus(layout)
        packets = cast("list[av.Packet[Stream]]", self._encoder.encode(frame))
        return [Output(bytes(one), int(Fraction(one.pts or 0) * one.time_base * 1_000_000)) for one in packets]


def _opus(layout: str) -> AudioCodecContext:
    context = CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = RATE, layout, "s16"
    context.bit_rate = _BITRATE[layout]
    context.time_base = Fraction(1, RATE)
    return context
