"""The composed picture and sound as packets: H.264 with a key frame every two seconds, and AAC."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

import av
import numpy as np
from av.stream import Stream

from stagedoor.streams.media.child.composition.sound import CHANNELS, RATE, Samples
from stagedoor.streams.media.child.encoder import Encoder
from stagedoor.streams.media.child.media import MediaPacket, Track
from stagedoor.streams.media.child.mp4_audio import aac_encoder

_KEY_FRAME_US: Final = 2_000_000


class PictureEncoder:
    """Encodes the canvas.

    Args:
        width: Of the canvas.
        height: Likewise.
        fps: Pictures a second.
        bitrate: In bits a second; 0 chooses one by the size.
    """

    def __init__(self, width: int, height: int, fps: int, bitrate: int) -> None:
        self._encoder = Encoder(width, height, fps, bitrate)
        self._track = Track("video", "h264", "h264")
        self._key_at: int | None = None
        self._half_frame_us = 500_000 // fps

    def encode(self, picture: av.VideoFrame, at: int) -> MediaPacket:
        """The packet of a picture that is shown at a time, in microseconds."""
        key = self._key_at is None or at - self._key_at > _KEY_FRAME_US - self._half_frame_us
        if key:
            self._key_at = at
        return MediaPacket(self._track, self._encoder.encode(picture, key=key), at, at, key, live=True)


class SoundEncoder:
    """Encodes the mix, in frames of 1,024 samples."""

    def __init__(self) -> None:
        self._encoder = aac_encoder("stereo")
        self._encoder.open()
        self._track = Track("audio", "aac", "aac", bytes(self._encoder.extradata or b""), RATE, CHANNELS)

    def encode(self, samples: Samples, place: int) -> list[MediaPacket]:
        """The packets that come of a frame whose first sample has this place."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, place, Fraction(1, RATE)
        made: list[MediaPacket] = []
        for encoded in cast("list[av.Packet[Stream]]", self._encoder.encode(frame)):
            at = (encoded.pts or 0) * 1_000_000 // RATE
            made.append(MediaPacket(self._track, bytes(encoded), at, at, key=True, live=True))
        return made
