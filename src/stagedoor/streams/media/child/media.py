"""The nouns of a worker: tracks and packets, as a source sends them."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from stagedoor.streams.media.protocol import EndCode, Ended, Limit

MICROSECONDS: Final = Fraction(1, 1_000_000)

TrackKind = Literal["video", "audio"]


class StreamFailed(Exception):
    """The stream cannot go on. The arguments are those of `protocol.Ended`."""

    def __init__(self, code: EndCode, message: str, *, retry: bool = False, limit: Limit | None = None) -> None:
        super().__init__(message)
        self._ended = Ended(code, message, retry, limit)

    def ended(self) -> Ended:
        """The report of it."""
        return self._ended


@dataclass(frozen=True, slots=True)
class Track:
    """A track, until its parameters change.

    Attributes:
        codec: FFmpeg's name of the codec.
        decoder_name: FFmpeg's name of the decoder; a codec may have several, not all of which work everywhere.
        extradata: What configures the decoder, in the container's form.
        profile: As the container or FFmpeg says; empty when it is not known, or is in the packets.
    """

    kind: TrackKind
    codec: str
    decoder_name: str
    extradata: bytes | None = None
    sample_rate: int = 0
    channels: int = 0
    profile: str = ""

    def video_decoder(self) -> VideoCodecContext:
        """A decoder of its packets.

        Raises:
            StreamFailed: FFmpeg has none.
        """
        context = self._decoder()
        if not isinstance(context, VideoCodecContext):
            raise StreamFailed("unsupported_codec", f"The codec {self.codec} is not one of video.")
        return context

    def audio_decoder(self) -> AudioCodecContext:
        """The same of audio.

        Raises:
            StreamFailed: FFmpeg has none.
        """
        context = self._decoder()
        if not isinstance(context, AudioCodecContext):
            raise StreamFailed("unsupported_codec", f"The codec {self.codec} is not one of audio.")
        if self.sample_rate:
            context.sample_rate = self.sample_rate
        if self.channels:
            context.layout = "mono" if self.channels == 1 else "stereo"
        return context

    def _decoder(self) -> CodecContext:
        try:
            context = CodecContext.create(self.decoder_name, "r")
        except (FFmpegError, ValueError) as error:
            raise StreamFailed("unsupported_codec", f"The codec {self.codec} cannot be decoded.") from error
        if self.extradata:
            context.extradata = self.extradata
        context.thread_count = 1
        return context


@dataclass(slots=True)
class MediaPacket:
    """One encoded packet.

    Attributes:
        pts: When it is shown, in microseconds of this machine's monotonic clock.
        dts: When it is decoded, the same.
        key: Whether a decoder can begin here.
        live: Whether it has just arrived; others are replayed to a new worker, for its decoder alone.
    """

    track: Track
    data: bytes
    pts: int
    dts: int
    key: bool
    live: bool

    def packet(self) -> av.Packet[Stream]:
        """FFmpeg's form of it."""
        packet: av.Packet[Stream] = av.Packet(self.data)
        packet.pts, packet.dts, packet.time_base = self.pts, self.dts, MICROSECONDS
        packet.is_keyframe = self.key
        return packet
