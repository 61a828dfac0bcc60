"""Reads one stream of an FFmpeg container: its track, and its packets in the form in which they are passed on."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib

import av
from av.audio.codeccontext import AudioCodecContext
from av.bitstream import BitStreamFilterContext
from av.error import FFmpegError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from stagedoor.streams.media.child import h264
from stagedoor.streams.media.child.media import Track


class Reader:
    """One stream. H.264 becomes Annex B, with the container's parameter sets before key frames that have none.

    Attributes:
        track: None when the stream is of no use.
    """

    def __init__(self, stream: Stream) -> None:
        self._filter: BitStreamFilterContext | None = None
        self.track = _track(stream)
        if (
            self.track is not None
            and self.track.codec == "h264"
            and (stream.codec_context.extradata or b"")[:1] == b"\x01"
        ):
            self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)

    def data(self, packet: av.Packet[Stream]) -> bytes:
        """The data of a packet; empty when it is broken."""
        if self._filter is None:
            return bytes(packet)
        with contextlib.suppress(FFmpegError):
            return b"".join(bytes(part) for part in self._filter.filter(packet))
        return b""


def _track(stream: Stream) -> Track | None:
    context = stream.codec_context
    if isinstance(context, VideoCodecContext):
        extradata = context.extradata
        if context.codec.canonical_name == "h264":
            extradata = h264.parameter_sets(extradata or b"") or None
            return Track("video", context.codec.canonical_name, context.name, extradata)
        profile = context.profile or ""
        return Track("video", context.codec.canonical_name, context.name, extradata, profile=profile)
    if isinstance(context, AudioCodecContext):
        names = context.codec.canonical_name, context.name
        return Track("audio", *names, context.extradata, context.sample_rate, context.channels)
    return None
