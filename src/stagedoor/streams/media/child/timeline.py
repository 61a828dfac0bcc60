"""The time stamps of a source on this machine's monotonic clock: in step, rising, whatever the source sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stagedoor.streams.media.child.drift import Drift
from stagedoor.streams.media.child.media import TrackKind

_BACKWARDS_US: Final = 200_000
"""A step back of the time stamps by more is a jump; encoders that mix up a few milliseconds are common."""
_AHEAD_US: Final = 3_000_000
"""So much further than the clock is a jump too."""
_IN_STEP_US: Final = 1_000_000
"""A jump of one track that brings it so near to where the other one went is the same jump."""
_WINDOW_US: Final = 3_000_000
"""Time stamps are compared with the clock over so long."""
_USELESS_BELOW: Final = 0.4
_USELESS_ABOVE: Final = 2.5
"""Time stamps that advance so much slower or faster than the clock are not used."""
_SMALLEST_STEP_US: Final = 1_000


@dataclass(slots=True)
class _TrackClock:
    offset: int
    last: int
    last_in: int
    last_arrival: int
    window_in: int
    window_arrival: int
    trusted: bool = True


@dataclass(slots=True)
class Timeline:
    """Maps the decode time stamps of both tracks.

    Attributes:
        drift: Follows the clocks of a source that sends as it records; none for files and encoders.
        jumps: How often the time stamps jumped.
        trusted: Whether the time stamps are used; otherwise it is the time of arrival.
    """

    drift: Drift | None = None
    jumps: int = 0
    _clocks: dict[TrackKind, _TrackClock] = field(default_factory=dict[TrackKind, _TrackClock])

    @property
    def trusted(self) -> Mapping[TrackKind, bool]:
        """Of each track, whether its time stamps are used; otherwise it is the time of arrival."""
        return {kind: clock.trusted for kind, clock in self._clocks.items()}

    def restart(self) -> None:
        """What comes now has no relation in time to what came before."""
        self._clocks.clear()
        if self.drift is not None:
            self.drift = Drift()

    def place(self, kind: TrackKind, stamp: int, arrival: int) -> int:
        """The time of a packet, later than that of the one before. All in microseconds.

        Args:
            kind: Its track.
            stamp: Its decode time stamp.
            arrival: When it came, on the monotonic clock.
        """
        if self.drift is not None:
            self.drift.advance(arrival)
        clock = self._clocks.get(kind)
        if clock is None:
            others = list(self._clocks.values())
            offset = others[0].offset if others else arrival - stamp
            if abs(stamp + offset - arrival) > _AHEAD_US:
                offset = arrival - stamp
            self._clocks[kind] = _TrackClock(offset, stamp + offset, stamp, arrival, stamp, arrival)
            return stamp + offset
        self._follow_jump(kind, clock, stamp, arrival)
        self._judge(clock, stamp, arrival)
        time = stamp + clock.offset + self._correction(kind) if clock.trusted else arrival
        if self.drift is not None and clock.trusted:
            self.drift.note(kind, time, arrival)
        clock.last = max(time, clock.last + _SMALLEST_STEP_US)
        clock.last_in, clock.last_arrival = stamp, arrival
        return clock.last

    def _correction(self, kind: TrackKind) -> int:
        return 0 if self.drift is None else self.drift.correction(kind)

    def _follow_jump(self, kind: TrackKind, clock: _TrackClock, stamp: int, arrival: int) -> None:
        step, passed = stamp - clock.last_in, arrival - clock.last_arrival
        if -_BACKWARDS_US <= step <= passed + _AHEAD_US:
            return
        self.jumps += 1
        expected = clock.last + max(passed, _SMALLEST_STEP_US) - self._correction(kind)
        if self.drift is not None:
            self.drift.restart(kind)
        others = [other.offset for name, other in self._clocks.items() if name != kind]
        near = [offset for offset in others if abs(stamp + offset - expected) <= _IN_STEP_US]
        clock.offset = near[0] if near else expected - stamp
        clock.window_in, clock.window_arrival = stamp, arrival

    @staticmethod
    def _judge(clock: _TrackClock, stamp: int, arrival: int) -> None:
        passed = arrival - clock.window_arrival
        if passed < _WINDOW_US:
            return
        ratio = (stamp - clock.window_in) / passed
        useful = _USELESS_BELOW <= ratio <= _USELESS_ABOVE
        if useful and not clock.trusted:
            clock.offset = arrival - stamp
        clock.trusted = useful
        clock.window_in, clock.window_arrival = stamp, arrival
