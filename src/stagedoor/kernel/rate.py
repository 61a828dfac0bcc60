"""A limit on how often something may happen."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import Any


class Rate:
    """At most `amount` events in a window of `seconds`, counted for each name by itself.

    Args:
        amount: Events in a window.
        seconds: The length of a window, which begins with its first event.
    """

    def __init__(self, amount: int, seconds: int) -> None:
        self._amount = amount
        self._seconds = seconds

    @cached_property
    def _window(self) -> tuple[Any, Any]:
        # The library imports its storages in Redis, MongoDB and others with what they need: 1 % of a start.
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter

        return FixedWindowRateLimiter(MemoryStorage()), RateLimitItemPerSecond(self._amount, self._seconds)

    def take(self, name: str) -> bool:
        """Count an event; `False` when there were as many as may be."""
        limiter, limit = self._window
        return bool(limiter.hit(limit, name))

    def give_back(self, name: str) -> None:
        """Count one event less, if any is counted."""
        limiter, limit = self._window
        key = limit.key_for(name)
        if limiter.storage.get(key) > 0:
            limiter.storage.decr(key)

    def retry_after(self, name: str) -> int:
        """Seconds until the window ends, one at the least: the value of a `Retry-After` header."""
        limiter, limit = self._window
        reset, _ = limiter.get_window_stats(limit, name)
        return max(1, math.ceil(reset - time.time()))
