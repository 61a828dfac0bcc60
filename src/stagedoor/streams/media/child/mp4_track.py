"""The tracks of a fragmented MP4 that is being made: samples in the track's own clock, from packets in microseconds."""

from __future__ import annotations

from typing import Final

from stagedoor.streams.media.child.fmp4 import VIDEO_TIMESCALE, Run, Sample
from stagedoor.streams.media.child.media import MediaPacket, Track
from stagedoor.streams.media.child.mp4_codecs import AccessUnits, Description, audio_description, samples_of_frame

_DEFAULT_FRAME_US: Final = 40_000
_SMOOTHING: Final = 0.1
_OUT_OF_STEP_US: Final = 40_000
"""Audio follows its samples' number, and its time stamps only when they are so far from it: those of FLV are rounded to
milliseconds, and a gap or an overlap in each part would be heard."""


class VideoTrack:
    """The video.

    Attributes:
        epoch: The time that is 0 in the file.
        samples: The packets of the part that is open.
        last_dts: Of the last packet.
    """

    def __init__(self, track: Track, units: AccessUnits, description: Description) -> None:
        self.track = track
        self.description = description
        self.epoch = 0
        self.samples: list[MediaPacket] = []
        self.last_dts = 0
        self._units = units
        self._frame_us = 0.0

    @classmethod
    def begin(cls, packet: MediaPacket) -> VideoTrack | None:
        """A track that begins with a key frame; none when it cannot be understood."""
        units = AccessUnits(packet.track)
        units.take_sets(packet.data)
        description = units.description(packet.data)
        return None if description is None else cls(packet.track, units, description)

    @property
    def frame_us(self) -> int:
        """How long a picture is shown, about."""
        return int(self._frame_us) or _DEFAULT_FRAME_US

    @property
    def fps(self) -> float:
        """Pictures a second, about."""
        return round(1_000_000 / self.frame_us, 3)

    def measure(self, times: list[int]) -> None:
        """Take the frame rate from the times of some packets."""
        if len(times) > 1:
            self._frame_us = (times[-1] - times[0]) / (len(times) - 1)

    def changed(self, packet: MediaPacket) -> bool:
        """Whether a key frame has other parameter sets."""
        return packet.key and self._units.take_sets(packet.data)

    def add(self, packet: MediaPacket) -> None:
        """Add a packet to the part."""
        if self.last_dts > self.epoch:
            step = packet.dts - self.last_dts
            self._frame_us = self._frame_us * (1 - _SMOOTHING) + step * _SMOOTHING if self._frame_us else float(step)
        self.last_dts = packet.dts
        self.samples.append(packet)

    def run(self, end: int) -> Run:
        """The samples of the part, which ends at `end`."""
        packets, self.samples = self.samples, []
        times = [self._ticks(packet.dts) for packet in packets]
        times.append(max(self._ticks(end), times[-1] + 1))
        samples = [
            Sample(
                self._units.sample(packet.data),
                max(1, times[index + 1] - times[index]),
                self._ticks(packet.pts) - times[index],
                packet.key,
            )
            for index, packet in enumerate(packets)
        ]
        return Run(1, times[0], samples)

    def _ticks(self, at: int) -> int:
        return max(0, at - self.epoch) * VIDEO_TIMESCALE // 1_000_000


class AudioTrack:
    """The audio, of AAC.

    Args:
        number: Of the track in the file.

    Attributes:
        epoch: The time that is 0 in the file.
        samples: The packets of the part that is open.
        last_dts: Of the last packet.
    """

    def __init__(self, track: Track, number: int) -> None:
        self.track = track
        self.description = audio_description(track)
        self.epoch = 0
        self.samples: list[MediaPacket] = []
        self.last_dts = 0
        self._number = number
        self._frame = samples_of_frame(track)
        self._next: int | None = None

    @property
    def frame_us(self) -> int:
        """How long a frame sounds."""
        return self._frame * 1_000_000 // self.track.sample_rate

    def add(self, packet: MediaPacket) -> None:
        """Add a packet to the part."""
        self.last_dts = packet.dts
        self.samples.append(packet)

    def run(self, end: int) -> Run:
        """The samples of the part."""
        del end  # a frame lasts as long as it does
        packets, self.samples = self.samples, []
        rate = self.track.sample_rate
        first = max(0, packets[0].dts - self.epoch) * rate // 1_000_000
        if self._next is None or abs(first - self._next) * 1_000_000 > _OUT_OF_STEP_US * rate:
            if self._next is not None and first < self._next and len(packets) > 1:
                packets = packets[1:]  # the source's clock is faster: a frame of 23 ms is left out
            else:
                self._next = first if self._next is None else max(first, self._next)
        begin = self._next
        self._next += self._frame * len(packets)
        return Run(self._number, begin, [Sample(packet.data, self._frame, 0, key=True) for packet in packets])
