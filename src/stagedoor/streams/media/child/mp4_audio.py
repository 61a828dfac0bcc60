"""A stream's audio as AAC, as MP4 takes it: passed when it is AAC, otherwise decoded, resampled and encoded."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.stream import Stream

from stagedoor.streams.media.child.media import MediaPacket, Track
from stagedoor.streams.media.child.pcm import RATE, PcmDecoder

AAC_SAMPLES: Final = 1024
_BITRATE: Final = {"mono": 64_000, "stereo": 128_000}


class AudioPackets:
    """Makes packets of AAC of a stream's audio packets."""

    def __init__(self) -> None:
        self._source: Track | None = None
        self._decoder: PcmDecoder | None = None
        self._encoder: AudioCodecContext | None = None
        self._track: Track | None = None

    def take(self, packet: MediaPacket) -> list[MediaPacket]:
        """The packets that come of a packet."""
        track = packet.track
        if track.codec == "aac" and track.extradata:
            return [packet]
        if track != self._source or self._decoder is None:
            self._source, self._encoder = track, None
            self._decoder = PcmDecoder(track, "fltp", AAC_SAMPLES)
        frames = self._decoder.take(packet)
        return [made for frame in frames for made in self._encode(packet, frame, self._decoder.layout)]

    def _encode(self, packet: MediaPacket, frame: av.AudioFrame, layout: str) -> list[MediaPacket]:
        if self._encoder is None or self._track is None:
            self._encoder = aac_encoder(layout)
            self._encoder.open()
            channels = 1 if layout == "mono" else 2
            self._track = Track("audio", "aac", "aac", bytes(self._encoder.extradata or b""), RATE, channels)
        made: list[MediaPacket] = []
        for encoded in cast("list[av.Packet[Stream]]", self._encoder.encode(frame)):
            at = int(Fraction(encoded.pts or 0) * encoded.time_base * 1_000_000)
            made.append(replace(packet, track=self._track, data=bytes(encoded), pts=at, dts=at))
        return made


def aac_encoder(layout: str) -> AudioCodecContext:
    """An encoder of 48 kHz in 1,024 samples a frame, `mono` or `stereo`, whose parameters are beside the packets."""
    context = CodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = RATE, layout, "fltp"
    context.bit_rate = _BITRATE[layout]
    context.time_base = Fraction(1, RATE)
    context.options = {"flags": "+global_header"}
    return context
