"""One participant's sound on the clock: samples are placed by when they came, without clicks, and read once.

LiveKit's SDK has put the packets in order and hides what is lost, and hands out samples at the pace of this machine's
clock. It gives them no time stamps, so the least delay of the last second says when they were played.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 48_000
CHANNELS: Final = 2
RAMP: Final = 240
"""Samples in which a sound begins or ends: 5 ms."""
_IN_STEP: Final = RATE * 15 // 1_000
"""A sound that is further from its time is moved."""
_JUDGED: Final = RATE
"""Over so many samples."""
_LONGEST: Final = RATE * 2
"""What is kept at the most."""

Samples = NDArray[np.float32]

_UP: Final = np.linspace(0.0, 1.0, RAMP, endpoint=False, dtype=np.float32)[:, None]


class Sound:
    """The samples of one track, at their places in samples since the monotonic clock's beginning."""

    def __init__(self) -> None:
        self._samples: Samples = np.zeros((0, CHANNELS), np.float32)
        self._begin = self._read_to = 0
        self._final = True
        self._late: list[int] = []
        self._judged = 0
        self.closed = False

    @property
    def end(self) -> int:
        """Where the next samples belong."""
        return self._begin + len(self._samples)

    @property
    def over(self) -> bool:
        """Whether nothing is left, and nothing comes."""
        return self.closed and self._final and not len(self._samples)

    def put(self, samples: Samples, arrived: int) -> None:
        """Take samples.

        Args:
            samples: In two channels, from -1 to 1.
            arrived: The place of the sample that would have come at that moment.
        """
        place = arrived - len(samples)
        if self._final:
            self._start(samples, max(place, self._read_to))
            return
        self._late.append(place - self.end)
        self._judged += len(samples)
        least = min(self._late)
        if self._judged >= _JUDGED or least < -_IN_STEP:
            self._late, self._judged = [], 0
            if abs(least) > _IN_STEP:
                self._move(samples, self.end + least)
                return
        self._append(samples)

    def read(self, begin: int, count: int) -> Samples:
        """The samples of a time, once; silence where there are none."""
        made = np.zeros((count, CHANNELS), np.float32)
        end = begin + count
        first, last = max(begin, self._begin), min(end, self.end)
        if first < last:
            made[first - begin : last - begin] = self._samples[first - self._begin : last - self._begin]
        if not self._final and self.end < end + RAMP:
            # The sound may end here. What comes later begins with a ramp of its own.
            self._final = True
            self._samples = _falling(self._samples)
            if first < last:
                made[first - begin : last - begin] = self._samples[first - self._begin : last - self._begin]
        kept = max(0, min(end - self._begin, len(self._samples)))
        self._samples, self._begin = self._samples[kept:], self._begin + kept
        self._read_to = end
        return made

    def _start(self, samples: Samples, place: int) -> None:
        """Begin a sound; the end of the one before is there yet, or has been read."""
        begin = max(place, self.end if len(self._samples) else 0)
        gap = begin - self.end if len(self._samples) else 0
        samples = _rising(samples)
        if len(self._samples):
            self._samples = np.concatenate([self._samples, np.zeros((gap, CHANNELS), np.float32), samples])
        else:
            self._samples, self._begin = samples, begin
        self._final, self._late, self._judged = False, [], 0

    def _move(self, samples: Samples, place: int) -> None:
        """Go on elsewhere: the old sound fades out while the new one fades in."""
        place = max(place, self._read_to)
        kept = min(max(place - self._begin, 0), len(self._samples))
        tail = self._samples[kept : kept + RAMP]
        samples = _rising(samples)
        if len(tail):
            overlap = min(len(tail), len(samples))
            samples[:overlap] += tail[:overlap] * _UP[:overlap][::-1]
            self._samples = np.concatenate([self._samples[:kept], samples])
            return
        gap = np.zeros((max(place - self.end, 0), CHANNELS), np.float32)
        self._samples = np.concatenate([_falling(self._samples), gap, samples])

    def _append(self, samples: Samples) -> None:
        self._samples = np.concatenate([self._samples, samples])
        surplus = len(self._samples) - _LONGEST
        if surplus > 0:
            self._samples, self._begin = self._samples[surplus:], self._begin + surplus


def _rising(samples: Samples) -> Samples:
    made = samples.copy()
    count = min(RAMP, len(made))
    made[:count] *= _UP[:count]
    return made


def _falling(samples: Samples) -> Samples:
    made = samples.copy()
    count = min(RAMP, len(made))
    if count:
        made[-count:] *= _UP[:count][::-1]
    return made
