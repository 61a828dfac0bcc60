"""Publishing in a LiveKit room by FFmpeg's WHIP muxer, and hearing what LiveKit answers.

The muxer reads one datagram from its socket for each packet that it writes, answers LiveKit's ICE checks and requests
for lost packets, and ignores requests for key frames. The session looks at each datagram before the muxer takes it: the
first bytes of an RTCP packet are not encrypted, and a request for a key frame is a packet of its own.
"""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import os
import socket
from fractions import Fraction
from typing import Final

import av
from av.container import OutputContainer
from av.error import ArgumentError, FFmpegError
from av.stream import Stream

from stagedoor.streams.media.child.media import StreamFailed

VIDEO_TIME_BASE: Final = Fraction(1, 90_000)
AUDIO_TIME_BASE: Final = Fraction(1, 48_000)

_HANDSHAKE_MILLISECONDS: Final = "5000"
_SEND_BUFFER_BYTES: Final = "2000000"
"""A key frame is sent in one go."""
_PEEKED_BYTES: Final = 16
_PAYLOAD_FEEDBACK: Final = 206
_KEY_FRAME_FORMATS: Final = (1, 4)
"""Picture loss indication and full intra request."""
_DTLS_ALERT: Final = 21
_MOST_REFUSED: Final = 50
"""So many packets one after the other that the muxer does not take are the session's end."""


class WhipSession:
    """A participant in its room. All methods are for one thread.

    Args:
        url: Where the offer goes.
        video: Whether a video track is published.
        audio: Whether an audio track is.
        epoch: The time that is 0 in the tracks' time stamps, in microseconds.

    Attributes:
        key_frame_requested: Set when a viewer waits for a key frame; the caller takes it back.
        closed_by_livekit: Whether LiveKit has ended the session.

    Raises:
        StreamFailed: LiveKit does not take the session.
    """

    def __init__(self, url: str, *, video: bool, audio: bool, epoch: int) -> None:
        self.key_frame_requested = False
        self.closed_by_livekit = False
        self._epoch = epoch
        self._last: dict[int, int] = {}
        self._refused = 0
        self._udp: socket.socket | None = None
        options = {
            "handshake_timeout": _HANDSHAKE_MILLISECONDS,
            "ts_buffer_size": _SEND_BUFFER_BYTES,
            "max_interleave_delta": "1",  # packets of one track do not wait for the other's
        }
        self._container = av.open(url, "w", format="whip", options=options)
        try:
            self._video = _video_stream(self._container) if video else None
            self._audio = _audio_stream(self._container) if audio else None
            self._container.start_encoding()
        except FFmpegError as error:
            self.close()
            message = f"The media connection to LiveKit failed: {error.strerror}. Check that UDP to LiveKit is open."
            raise StreamFailed("livekit_unreachable", message, retry=True) from error
        self._udp = _connected_udp_socket()

    def write_video(self, data: bytes, pts: int, *, key: bool) -> None:
        """Publish an access unit in Annex B form.

        Raises:
            StreamFailed: The session is over.
        """
        if self._video is not None:
            self._write(self._video, VIDEO_TIME_BASE, data, pts, key=key)

    def write_audio(self, data: bytes, pts: int) -> None:
        """Publish an Opus packet.

        Raises:
            StreamFailed: The session is over.
        """
        if self._audio is not None:
            self._write(self._audio, AUDIO_TIME_BASE, data, pts, key=True)

    def close(self) -> None:
        """Leave the room."""
        with contextlib.suppress(FFmpegError):
            self._container.close()
        if self._udp is not None:
            self._udp.close()

    def _write(self, stream: Stream, base: Fraction, data: bytes, pts: int, *, key: bool) -> None:
        self._listen()
        if self.closed_by_livekit:
            raise StreamFailed("removed_from_room", "LiveKit has removed the stream from its room.")
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = base
        at = (pts - self._epoch) * base.denominator // 1_000_000
        packet.pts = packet.dts = self._last[stream.index] = max(at, self._last.get(stream.index, -1) + 1)
        packet.is_keyframe = key
        try:
            self._container.mux_one(packet)
            self._refused = 0
        except FFmpegError as error:
            self._refused += 1
            if isinstance(error, ArgumentError) and self._refused < _MOST_REFUSED:
                return  # a packet that cannot be sent ends no session
            message = f"The media connection to LiveKit broke: {error.strerror}."
            raise StreamFailed("livekit_unreachable", message, retry=True) from error

    def _listen(self) -> None:
        """Look at the datagram that the muxer reads next."""
        if self._udp is None:
            return
        try:
            head = self._udp.recv(_PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return  # nothing has come, or the muxer reports the error
        if len(head) > 1 and head[1] == _PAYLOAD_FEEDBACK and head[0] & 0xC0 == 0x80:
            self.key_frame_requested |= head[0] & 0x1F in _KEY_FRAME_FORMATS
        elif head[:1] and head[0] == _DTLS_ALERT:
            self.closed_by_livekit = True


def _connected_udp_socket() -> socket.socket | None:
    """A second handle of the socket that the muxer has opened; none where it cannot be found. This process has one."""
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return None
    for descriptor in descriptors:
        try:
            copy = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue  # no socket
        with contextlib.suppress(OSError):
            if (
                copy.type == socket.SOCK_DGRAM
                and copy.family in {socket.AF_INET, socket.AF_INET6}
                and copy.getpeername()
            ):
                return copy
        copy.close()
    return None


def _video_stream(container: OutputContainer) -> Stream:
    """The muxer wants an encoder's parameters for its offer; those of a tiny one serve, because each key frame that is
    written has parameter sets of its own."""
    stream = container.add_stream("libx264", rate=30, options={"tune": "zerolatency", "profile": "baseline"})
    context = stream.codec_context
    context.width = context.height = 64
    context.pix_fmt, context.thread_count = "yuv420p", 1
    stream.time_base = VIDEO_TIME_BASE
    return stream


def _audio_stream(container: OutputContainer) -> Stream:
    stream = container.add_stream("libopus", rate=48_000, layout="stereo")
    stream.codec_context.bit_rate = 96_000
    stream.time_base = AUDIO_TIME_BASE
    return stream
