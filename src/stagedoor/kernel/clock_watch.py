"""Notices that the wall clock was set: it is compared with a clock that cannot be set.

A board without a battery starts years ago and jumps when NTP answers, a virtual machine is restored, an operator errs.
What counts on the wall clock going on evenly (how long a call lasted, when a job is due, what is old enough to be
deleted) asks here, or listens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.kernel.clock import now_ms, rfc3339

_log = structlog.get_logger()

TOLERATED_MS: Final = 5_000
"""NTP slews by half a millisecond a second; what is more between two looks is a jump."""

LOOK_SECONDS: Final = 5.0
DOUBTED_MS: Final = 86_400_000
"""How long after a jump forward the new time is doubted: by then the warning was seen, or the clock is right."""


def steady_ms() -> int:
    """Milliseconds of a clock that cannot be set, and that goes on while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock was set. Times are milliseconds since the epoch.

    Attributes:
        before: What the clock would have shown.
        after: What it showed.
        noticed: The steady clock's time.
    """

    before: int
    after: int
    noticed: int

    @property
    def by(self) -> int:
        """Milliseconds; positive when it was set forward."""
        return self.after - self.before

    @property
    def sentence(self) -> str:
        """For people."""
        direction = "forward" if self.by > 0 else "back"
        return (
            f"The clock jumped {direction} by {_length(abs(self.by))}, from {rfc3339(self.before)} to"
            f" {rfc3339(self.after)}."
        )


Listener = Callable[[Jump], Awaitable[object]]


class ClockWatch:
    """Compares the wall clock with the steady one.

    Args:
        wall: Milliseconds since the epoch.
        steady: Milliseconds of a clock that never jumps.
    """

    def __init__(self, wall: Callable[[], int] = now_ms, steady: Callable[[], int] = steady_ms) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._started = steady()
        self._last: Jump | None = None
        self._forward: Jump | None = None
        self._listeners: list[Listener] = []
        self._pending: list[Jump] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` awaited after each jump."""
        self._listeners.append(listener)

    @property
    def uptime_ms(self) -> int:
        """How long this watch has been there."""
        return self._steady() - self._started

    def recent(self) -> Jump | None:
        """The last jump, if it is less than a day ago."""
        self.look()
        jump = self._last
        return jump if jump is not None and self._steady() - jump.noticed < DOUBTED_MS else None

    def doubted_for_ms(self) -> int:
        """For how long yet the time is doubted because the clock was set forward; 0 when it is not."""
        self.look()
        jump = self._forward
        return 0 if jump is None else max(0, DOUBTED_MS - (self._steady() - jump.noticed))

    def look(self) -> Jump | None:
        """Compare now; the jump, if there was one since the last look."""
        steady = self._steady()
        offset = self._wall() - steady
        by = offset - self._offset
        self._offset = offset
        if abs(by) <= TOLERATED_MS:
            return None
        jump = Jump(steady + offset - by, steady + offset, steady)
        self._last = jump
        if by > 0:
            self._forward = jump
        elif self._forward is not None and self._forward.by + by <= TOLERATED_MS:
            self._forward = None  # it was set back to where it had been
        self._pending.append(jump)
        _log.warning("clock_jumped", by_seconds=by / 1000, before=rfc3339(jump.before), after=rfc3339(jump.after))
        return jump

    async def notify(self) -> None:
        """Look, and notify the listeners of each jump that they do not know of."""
        self.look()
        while self._pending:
            jump = self._pending.pop(0)
            for listener in self._listeners:
                try:
                    await listener(jump)
                except Exception:  # noqa: BLE001 - the others are notified all the same
                    _log.exception("clock_jump_not_handled", by_seconds=jump.by / 1000)

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.notify()


def _length(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * size:
            return f"{ms / size:.1f} {unit}"
    return f"{ms / 1000:.0f} s"
