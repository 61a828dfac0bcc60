"""How long to wait before the next attempt: doubling up to a ceiling, and from the start after good days."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """All values in seconds.

    Attributes:
        first: The wait after the first failure.
        ceiling: The longest wait.
        healthy_after: Having lived this long, a failure counts as the first again.
    """

    first: float = 0.5
    ceiling: float = 30.0
    healthy_after: float = 60.0
    _next: float = 0.0

    def after(self, lived_seconds: float) -> float:
        """The wait after something that lived this long has failed."""
        if lived_seconds >= self.healthy_after or self._next == 0.0:
            self._next = self.first
        wait = self._next
        self._next = min(wait * 2, self.ceiling)
        return wait
