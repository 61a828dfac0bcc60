"""A stream's video on its way to browsers: passed through, or decoded and encoded where it must be.

Packets are passed as they come. A viewer who joins needs a key frame, and an encoder by RTMP sends one when it pleases.
So the packets since the last key frame are kept; when a viewer asks, they are decoded at once, and from there the
pictures are encoded, beginning with a key frame, until the source's own next one. The same way leads into lasting
transcoding, when B-frames begin in the middle of a stream: nothing is lost and the track stays.
"""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Final, Literal

import av
from av.error import FFmpegError

from stagedoor.streams.media.child import h264
from stagedoor.streams.media.child.encoder import Encoder, fitting
from stagedoor.streams.media.child.frame_rate import FrameRate
from stagedoor.streams.media.child.limits import check_size
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed, Track
from stagedoor.streams.media.child.running_group import RunningGroup
from stagedoor.streams.media.child.undecodable import DamageWatch
from stagedoor.streams.media.protocol import EndCode, StreamLimits, Transcoding, VideoState

_REORDERED: Final = 2
"""So many packets that are shown before an earlier one are B-frames, and no mistake of an encoder."""
_GROUPS_WITHOUT_REORDERING: Final = 4
"""After so many groups without B-frames the stream is passed through again."""
_US_WITHOUT_REORDERING: Final = 10_000_000
"""Or after so long: at the next key frame, as groups of an encoder can last a minute."""
_SMALLEST_STEP_US: Final = 1_000

Cause = Literal["b_frames", "codec", "profile", "interlaced", "always"]
_ADVICE: Final[dict[Cause, str]] = {
    "b_frames": "Set B-frames to 0 in the encoder (OBS: Max B-frames 0; x264: the tune zerolatency).",
    "codec": "Set the encoder to H.264.",
    "profile": "Set the encoder to the profile High, Main or Baseline, with 8 bits and 4:2:0.",
    "interlaced": "Set the encoder to progressive video.",
    "always": "Set transcoding to auto.",
}


@dataclass(frozen=True, slots=True)
class Output:
    """One access unit in Annex B form, with parameter sets when it is a key frame.

    Attributes:
        pts: In microseconds of the monotonic clock, later than that of the one before.
    """

    data: bytes
    pts: int
    key: bool


@dataclass(frozen=True, slots=True)
class _Lasting:
    """Why all of the video is transcoded."""

    cause: Cause
    reason: str


class VideoPipeline:
    """The video of one stream.

    Attributes:
        key_wanted: Whether a viewer waits for a key frame.
        bitrate: As measured, for the state.
        changed: Set when `state` has something new.
    """

    def __init__(self, transcoding: Transcoding, limits: StreamLimits) -> None:
        self._policy = transcoding
        self._limits = limits
        self._group = RunningGroup()
        self._damage = DamageWatch()
        self._encoder: Encoder | None = None
        self._encoding = False
        self._begun = False
        self._track: Track | None = None
        self._lasting: _Lasting | None = None
        self._sets = b""
        self._profile = ""
        self._size: tuple[int, int] = (0, 0)
        self._live_from: int | None = None
        self._highest = 0
        self._reordered = 0
        self._groups_in_order = 0
        self._reordered_at = 0
        self._rate = FrameRate()
        self._sent_pts = 0
        self.key_wanted = True
        self.bitrate: int | None = None
        self.changed = False

    @property
    def fps(self) -> float | None:
        """How many pictures a second come; `None` when it is not known yet."""
        return self._rate.nominal

    @property
    def codec(self) -> str | None:
        """As the source sends it; `None` before any video has come."""
        return None if self._track is None else self._track.codec

    @property
    def has_track(self) -> bool:
        """Whether any video has come."""
        return self._track is not None

    @property
    def state(self) -> VideoState | None:
        """What is published; none before the size of a picture is known."""
        if self._track is None or self._size == (0, 0):
            return None
        lasting = self._lasting
        return VideoState(
            self._track.codec,
            self._profile,
            *self._size,
            fps=self.fps,
            bitrate=self.bitrate,
            passthrough=lasting is None,
            reason=None if lasting is None else f"It is transcoded because {lasting.reason}. {_ADVICE[lasting.cause]}",
        )

    @property
    def has_b_frames(self) -> bool:
        """Whether pictures come in another order than they are shown in."""
        return self._reordered >= _REORDERED

    @property
    def advice(self) -> list[str]:
        """What to change in the encoder, so that the video is passed through; nothing when it is."""
        causes: list[Cause] = [] if self._lasting is None else [self._lasting.cause]
        if causes and self.has_b_frames and "b_frames" not in causes:
            causes.append("b_frames")
        return [_ADVICE[cause] for cause in causes]

    def look(self, packet: MediaPacket) -> bool:
        """Take a packet that is never published, for `state` alone; whether browsers could begin at it.

        Raises:
            StreamFailed: The video may not be published.
        """
        packet = self._prepare(packet)
        if self._size == (0, 0):
            self._group.add(packet)
            for picture in self._group.pictures():
                self._note_picture(picture)
        return packet.key

    def hold(self, packet: MediaPacket) -> None:
        """Take a packet that is not published: what came before the stream was in its room.

        Raises:
            StreamFailed: The video may not be published.
        """
        self._group.add(self._prepare(packet))

    def take(self, packet: MediaPacket) -> list[Output]:
        """What is to be published of this packet.

        Raises:
            StreamFailed: The video may not be published.
        """
        packet = self._prepare(packet)
        if packet.track.codec == "h264":
            whole = h264.whole(packet.data)
            if whole is not None:
                self._damage.take(packet.dts, whole=whole)
            if not packet.data:
                return []
        if packet.key and self._lasting is None:
            self._group.add(packet)
            self._encoding, self._encoder, self.key_wanted, self._begun = False, None, False, True
            self._group.release()
            return [self._output(packet.data, packet.pts, key=True)]
        if not self._encoding:
            wanted = (self.key_wanted or not self._begun) and self._policy != "never" and self._group.decodable
            if self._lasting is None and not wanted:
                self._group.add(packet)
                return [self._output(packet.data, packet.pts, key=False)] if self._begun else []
            for _ in self._group.pictures():
                pass  # up to the packet before this one
            self._encoding = self.key_wanted = True
        self._group.add(packet)
        pictures = list(self._group.pictures())
        if packet.track.codec != "h264":
            self._damage.take(packet.dts, whole=bool(pictures))
        return [output for picture in pictures for output in self._encode(picture)]

    def _encode(self, picture: av.VideoFrame) -> list[Output]:
        pts = picture.pts
        if pts is None or self._live_from is None or not self._live_from <= pts <= self._highest:
            return []  # of what was replayed, with time stamps of another clock
        self._note_picture(picture)
        size = fitting(picture.width, picture.height)
        if self._encoder is None or (self._encoder.width, self._encoder.height) != size:
            self._encoder = Encoder(*size, self.fps or 30.0, self._limits.max_bitrate)
            self.key_wanted = True
        key = self.key_wanted
        data = self._encoder.encode(picture, key=key)
        if not data:
            return []
        self.key_wanted, self._begun = False, True
        return [self._output(data, pts, key=key)]

    def _output(self, data: bytes, pts: int, *, key: bool) -> Output:
        # A camera that repeats a time stamp once in a while is not one that sends B-frames.
        self._sent_pts = max(pts, self._sent_pts + _SMALLEST_STEP_US)
        return Output(data, self._sent_pts, key)

    def _prepare(self, packet: MediaPacket) -> MediaPacket:
        if packet.track != self._track:
            self._begin_track(packet.track)
        if packet.live and self._live_from is None:
            self._live_from, self._highest = packet.dts, 0
        if packet.track.codec == "h264":
            packet = self._with_parameter_sets(packet)
            if h264.whole(packet.data) is False:
                packet = replace(packet, pts=packet.dts)  # when it is shown is as broken as the rest
        self._rate.take(packet.dts)
        self._look_for_b_frames(packet)
        return packet

    def _begin_track(self, track: Track) -> None:
        self._track, self._sets, self._profile, self._lasting = track, b"", track.profile, None
        self._highest = self._reordered = 0
        self._rate = FrameRate()
        self.changed = True
        if self._policy == "always":
            self._transcode("always", "the setting transcoding is always")
        elif track.codec != "h264":
            self._transcode("codec", f"not every browser can take {_name(track.codec)}")

    def _with_parameter_sets(self, packet: MediaPacket) -> MediaPacket:
        """Browsers and LiveKit take a key frame for one only when its parameter sets are in front of it."""
        if not packet.key:
            return packet
        if not h264.has_idr(packet.data):
            return replace(packet, key=False)  # encoders mark recovery points, at which browsers cannot begin
        sets = h264.parameter_sets(packet.data)
        if not sets:
            sets = self._sets or h264.parameter_sets(packet.track.extradata or b"")
            packet = replace(packet, data=sets + packet.data)
        if sets != self._sets or self._size == (0, 0):  # the first key frame can be a broken one
            self._sets = sets
            self._look_at_key_frame(packet)
        return packet

    def _look_at_key_frame(self, packet: MediaPacket) -> None:
        self._profile, decodable = h264.profile_of(self._sets)
        if not decodable and self._lasting is None:
            self._transcode("profile", f"browsers do not decode the profile {self._profile} of H.264")
        decoder = packet.track.video_decoder()
        with contextlib.suppress(FFmpegError):
            for picture in [*decoder.decode(packet.packet()), *decoder.decode(None)]:
                self._note_picture(picture)
                self._rate.state(decoder.framerate)
                if picture.interlaced_frame and self._lasting is None:
                    self._transcode("interlaced", "browsers do not decode interlaced video")

    def _note_picture(self, picture: av.VideoFrame) -> None:
        size = picture.width, picture.height
        if size == self._size:
            return
        self._size, self.changed = size, True
        check_size(self._limits, *size)

    def _look_for_b_frames(self, packet: MediaPacket) -> None:
        if packet.pts < self._highest:
            self._reordered += 1
            self._groups_in_order, self._reordered_at = 0, packet.dts
            if self._reordered == _REORDERED and self._lasting is None:
                self._transcode("b_frames", "it has B-frames, which WebRTC cannot carry")
        elif packet.key:
            self._groups_in_order += 1
            lasting = self._lasting
            long = packet.dts - self._reordered_at >= _US_WITHOUT_REORDERING
            if long or self._groups_in_order > _GROUPS_WITHOUT_REORDERING:
                self._reordered = 0
                if lasting is not None and lasting.cause == "b_frames":
                    self._lasting, self.changed = None, True
        self._highest = max(self._highest, packet.pts)

    def _transcode(self, cause: Cause, why: str) -> None:
        if self._policy == "never":
            code: EndCode = "b_frames_not_allowed" if cause == "b_frames" else "unsupported_codec"
            message = f"The video is not published, because {why}, and transcoding is never. {_ADVICE[cause]}"
            raise StreamFailed(code, message)
        self._lasting, self.changed = _Lasting(cause, why), True


def _name(codec: str) -> str:
    return {"hevc": "HEVC", "av1": "AV1", "vp9": "VP9", "mjpeg": "Motion JPEG"}.get(codec, codec)
