"""A stream's audio as samples: decoded, resampled, and kept where its time stamps are."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from stagedoor.streams.media.child.media import MICROSECONDS, MediaPacket, StreamFailed, Track

RATE: Final = 48_000
SAMPLES: Final = 960
_IN_STEP: Final = {"min_comp": "0.01", "comp_duration": "1", "max_soft_comp": "0.02", "min_hard_comp": "0.04"}
"""The resampler keeps the samples where their time stamps are: it stretches them by up to 2 %, inserts silence or
leaves samples out. A cheap camera's audio clock is slower than its video's, and encoders send gaps."""
_LONGEST_GAP_US: Final = 400_000
"""A longer gap is not filled with silence."""


class PcmDecoder:
    """Decodes the packets of one track to frames of one length at 48 kHz, mono or stereo.

    Args:
        track: The track.
        form: FFmpeg's name of the sample format.
        samples: Of a frame, in each channel.

    Attributes:
        left_out: A sentence: why nothing comes out.
        parameters: The sample rate and channels of the source.
        changed: Set when `parameters` has something new.
        layout: `mono` or `stereo`, of all frames; empty before the first.
    """

    def __init__(self, track: Track, form: str = "s16", samples: int = SAMPLES) -> None:
        self._form, self._samples = form, samples
        self._decoder: AudioCodecContext | None = None
        self._resampler: av.AudioResampler | None = None
        self._expected: int | None = None
        self.left_out: str | None = None
        self.parameters = (track.sample_rate, track.channels)
        self.changed = True
        self.layout = ""
        try:
            self._decoder = track.audio_decoder()
        except StreamFailed:
            self.left_out = f"The audio is left out, because its format ({track.codec}) cannot be decoded."

    def take(self, packet: MediaPacket) -> list[av.AudioFrame]:
        """The samples of a packet, with time stamps in samples."""
        if self._decoder is None:
            return []
        frames: list[av.AudioFrame] = []
        with contextlib.suppress(FFmpegError):
            frames = self._decoder.decode(packet.packet())
        return [part for frame in frames for part in self._resample(frame)]

    def _resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        pts = int((frame.pts or 0) * (frame.time_base or MICROSECONDS) * 1_000_000)
        if self._expected is None or abs(pts - self._expected) > _LONGEST_GAP_US:
            self._resampler = None
        if self.parameters != (frame.sample_rate, frame.layout.nb_channels):
            self.parameters, self.changed = (frame.sample_rate, frame.layout.nb_channels), True
            self._resampler = None
        self._expected = pts + frame.samples * 1_000_000 // frame.sample_rate
        self.layout = self.layout or ("mono" if frame.layout.nb_channels == 1 else "stereo")
        if self._resampler is None:
            self._resampler = av.AudioResampler(self._form, self.layout, RATE, self._samples, options=_IN_STEP)
        return self._resampler.resample(frame)
