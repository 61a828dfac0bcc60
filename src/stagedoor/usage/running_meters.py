"""What runs now, and what has run since the last question: a few numbers for each room, whatever runs in it.

Lengths are taken from a clock that cannot be set; the wall clock only says in which hour they fall.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from stagedoor.kernel.clock import now_ms
from stagedoor.usage.meters import AddedMeter, Amounts, hours


class Place(NamedTuple):
    """A room of an app: a room's name may be another app's one day."""

    app_id: str
    livekit_room: str


Used = dict[Place, dict[int, Amounts]]
"""What ran, by place and hour."""


@dataclass(slots=True)
class _Tally:
    """One place.

    Attributes:
        until: The steady clock's time up to which everything is in `used`.
        running: How many run of each meter.
        used: Milliseconds by hour and meter.
    """

    until: int
    running: Counter[AddedMeter] = field(default_factory=Counter[AddedMeter])
    used: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))

    def advance(self, steady: int, wall: int) -> None:
        for hour, part in hours(wall - (steady - self.until), wall):
            for meter, count in self.running.items():
                self.used[hour][meter] += count * part
        self.until = steady


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class RunningMeters:
    """Counts what runs.

    Args:
        wall: Milliseconds since the epoch.
        steady: Milliseconds of a clock that never jumps.
    """

    def __init__(self, wall: Callable[[], int] = now_ms, steady: Callable[[], int] = _steady_ms) -> None:
        self._wall = wall
        self._steady = steady
        self._places: dict[Place, _Tally] = {}

    @contextmanager
    def run(self, meter: AddedMeter, app_id: str, livekit_room: str) -> Generator[None]:
        """Count one more that runs, for as long as the context lasts."""
        place = Place(app_id, livekit_room)
        self._change(place, meter, 1)
        try:
            yield
        finally:
            self._change(place, meter, -1)

    def take(self) -> Used:
        """What ran since this was last asked, up to now; places where nothing did are left out."""
        steady, wall = self._steady(), self._wall()
        taken: Used = {}
        for place, tally in list(self._places.items()):
            tally.advance(steady, wall)
            if tally.used:
                taken[place] = {hour: Amounts(**amounts) for hour, amounts in tally.used.items()}
                tally.used.clear()
            if not tally.running:
                del self._places[place]
        return taken

    def _change(self, place: Place, meter: AddedMeter, step: int) -> None:
        steady = self._steady()
        tally = self._places.setdefault(place, _Tally(steady))
        tally.advance(steady, self._wall())
        tally.running[meter] += step
        if not tally.running[meter]:
            del tally.running[meter]
