"""Clocks of live sources that run slower or faster than this machine's, followed by when packets come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from stagedoor.streams.media.child.media import TrackKind

_WINDOW_US: Final = 3_000_000
_SHARE: Final = 0.5
"""Of what a track is off by, so much is corrected after each window."""
_MOST_SHARE: Final = 0.02
"""A track is moved by no more of a window: sound that is stretched by 2 % sounds the same."""


@dataclass(slots=True)
class Drift:
    """How far the clock of each track has drifted. All in microseconds.

    The packet of a window that was least delayed on its way says where the source's clock is. The first window is what
    the others are compared with: how long a track takes on its way is not the same for sound and pictures.
    """

    _began: int | None = None
    _least: dict[TrackKind, int] = field(default_factory=dict[TrackKind, int])
    _usual: dict[TrackKind, int] = field(default_factory=dict[TrackKind, int])
    _corrections: dict[TrackKind, int] = field(default_factory=dict[TrackKind, int])

    def correction(self, kind: TrackKind) -> int:
        """What is added to the track's times."""
        return self._corrections.get(kind, 0)

    def advance(self, arrival: int) -> None:
        """A packet came at `arrival`: what came together with it on the other track is moved by as much."""
        if self._began is None:
            self._began = arrival
        elif arrival - self._began >= _WINDOW_US:
            self._end_window(arrival - self._began)
            self._began = arrival

    def note(self, kind: TrackKind, time: int, arrival: int) -> None:
        """A packet whose time, corrected, is `time` came at `arrival`."""
        delay = arrival - time
        self._least[kind] = min(delay, self._least.get(kind, delay))

    def restart(self, kind: TrackKind) -> None:
        """The track's time stamps have jumped: what is usual is to be found out again."""
        self._usual.pop(kind, None)
        self._least.pop(kind, None)

    def _end_window(self, length: int) -> None:
        most = int(length * _MOST_SHARE)
        for kind, least in self._least.items():
            if kind not in self._usual:
                self._usual[kind] = least
                continue
            step = int((least - self._usual[kind]) * _SHARE)
            self._corrections[kind] = self._corrections.get(kind, 0) + max(-most, min(step, most))
        self._least.clear()
