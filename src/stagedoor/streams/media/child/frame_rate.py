"""The nominal frame rate of a video: by its codec's parameters, or measured over enough pictures."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Final

_LEAST_STEPS: Final = 12
"""A rate that is computed from fewer steps says nothing: time stamps of FLV are whole milliseconds, and cameras shift
single pictures."""
_MOST_STEPS: Final = 60
_LONGEST_FRAME_US: Final = 2_000_000
_USUAL: Final = (5, 6, 7.5, 8, 10, 12, 12.5, 15, 20, 23.98, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 90, 100, 120)
_TOLERANCE: Final = 0.02
_DIFFERENCE: Final = 0.1
"""A codec's parameters that say something else than what comes, by more than this, are a mistake of the encoder's."""
_PLAUSIBLE: Final = (1, 240)


class FrameRate:
    """The frame rate of one track."""

    def __init__(self) -> None:
        self._stated: float | None = None
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=_MOST_STEPS)

    def state(self, rate: Fraction | None) -> None:
        """Take what the codec's parameters say; `None` or 0 when they say nothing."""
        plausible = rate and _PLAUSIBLE[0] <= rate <= _PLAUSIBLE[1]
        self._stated = round(float(rate), 2) if rate and plausible else None

    def take(self, dts: int) -> None:
        """Take the decoding time of a picture, in microseconds."""
        if self._last is not None and 0 < dts - self._last < _LONGEST_FRAME_US:
            self._steps.append(dts - self._last)
        self._last = dts

    @property
    def nominal(self) -> float | None:
        """Pictures a second; `None` when it is not known yet."""
        measured = self._measured()
        if measured is None or (self._stated and abs(measured / self._stated - 1) < _DIFFERENCE):
            return self._stated
        nearest = min(_USUAL, key=lambda rate: abs(measured - rate))
        return nearest if abs(measured / nearest - 1) < _TOLERANCE else round(measured, 1)

    def _measured(self) -> float | None:
        if len(self._steps) < _LEAST_STEPS:
            return None
        return 1_000_000 * len(self._steps) / sum(self._steps)
