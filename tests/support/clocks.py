"""A wall clock and a steady one, which go as a test says."""

from __future__ import annotations

from typing import Final

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import ClockWatch

DAY_MS: Final = 86_400_000


class Clocks:
    """Both, in milliseconds."""

    def __init__(self) -> None:
        self.wall = now_ms()
        self.steady = 12_345_678

    def pass_time(self, ms: int) -> None:
        """Let time go by."""
        self.wall += ms
        self.steady += ms

    def set_forward(self, ms: int) -> None:
        """Set the wall clock; back where it is negative."""
        self.wall += ms

    def watch(self) -> ClockWatch:
        """A watch of them."""
        return ClockWatch(lambda: self.wall, lambda: self.steady)

    def use(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        """Have these modules take the time from here."""
        for module in modules:
            monkeypatch.setattr(f"{module}.now_ms", lambda: self.wall)
