"""A stream's video as H.264 or HEVC, as MP4 takes it: passed when it is one of them, otherwise decoded and encoded."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Final

from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from stagedoor.streams.media.child import h264
from stagedoor.streams.media.child.encoder import Encoder, fitting
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track

_KEY_FRAME_US: Final = 2_000_000
_DEFAULT_FPS: Final = 25.0


class VideoPackets:
    """Makes packets that MP4 takes of a stream's video packets."""

    def __init__(self) -> None:
        self._source: Track | None = None
        self._decoder: VideoCodecContext | None = None
        self._encoder: Encoder | None = None
        self._track = Track("video", "h264", "h264")
        self._key_at = 0
        self._last_dts = 0
        self._sets = b""

    def take(self, packet: MediaPacket) -> list[MediaPacket]:
        """The packets that come of a packet."""
        if self._passes(packet):
            return [packet]
        if packet.track != self._source:
            self._source, self._decoder, self._encoder = packet.track, None, None
            with contextlib.suppress(StreamFailed):
                self._decoder = packet.track.video_decoder()
        if self._decoder is None:
            return []
        step, self._last_dts = packet.dts - self._last_dts, packet.dts
        pictures: list[VideoFrame] = []
        with contextlib.suppress(FFmpegError):
            pictures = self._decoder.decode(packet.packet())
        return [made for picture in pictures for made in self._encode(packet, picture, step)]

    def _passes(self, packet: MediaPacket) -> bool:
        if packet.track.codec == "hevc":
            return True
        if packet.track.codec != "h264":
            return False
        if packet.key or not self._sets:
            sets = h264.parameter_sets(packet.data) or h264.parameter_sets(packet.track.extradata or b"")
            self._sets = sets or self._sets
        return h264.profile_of(self._sets)[1]

    def _encode(self, packet: MediaPacket, picture: VideoFrame, step: int) -> list[MediaPacket]:
        pts = picture.pts if picture.pts is not None else packet.pts
        size = fitting(picture.width, picture.height)
        if self._encoder is None or (self._encoder.width, self._encoder.height) != size:
            fps = 1_000_000 / step if 0 < step < _KEY_FRAME_US else _DEFAULT_FPS
            self._encoder, self._key_at = Encoder(*size, fps, 0), 0
        key = pts - self._key_at >= _KEY_FRAME_US
        if key:
            self._key_at = pts
        data = self._encoder.encode(picture, key=key)
        return [replace(packet, track=self._track, data=data, pts=pts, dts=pts, key=key)] if data else []
