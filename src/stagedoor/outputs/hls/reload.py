"""Blocking requests: `_HLS_msn` and `_HLS_part`, and hinted parts. They wait for a change, up to a bound."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import BadRequest, Unavailable
from stagedoor.outputs.hls.window import Window

MOST_WAITING: Final = 20_000
"""Of one room, on this node."""
WAIT_TARGETS: Final = 3
"""How many target durations a request waits at the most."""
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a playlist must have before it is answered.

    Attributes:
        number: A media sequence number.
        part: Of its parts; `None` when the segment must be complete.
    """

    number: int
    part: int | None

    def refuse_far_ahead(self, window: Window, part_seconds: float) -> None:
        """Refuse what no playlist has soon.

        Raises:
            BadRequest: It is more than two segments, or too many parts, behind the end.
        """
        limit = math.ceil(3 / part_seconds) if part_seconds < 1 else 3
        last_part = window.next_part - 1
        far = self.number == window.next_number and self.part is not None and self.part > last_part + limit
        if self.number > window.next_number + _AHEAD - (not window.next_part) or far:
            raise BadRequest(
                f"_HLS_msn={self.number} is too far ahead: the newest segment is {window.next_number}.",
                code="too_far_ahead",
            )


class Waiters:
    """Those who wait for a window to change."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.count = 0

    def wake(self) -> None:
        """Something has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until it is ready, so long at the most; returns whether it is.

        Raises:
            Unavailable: Too many wait.
        """
        if ready():
            return True
        if self.count >= MOST_WAITING:
            raise Unavailable(
                f"{MOST_WAITING} requests wait for this room; ask again in a moment.", code="too_many_waiting"
            )
        self.count += 1
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    await self._changed.wait()
        except TimeoutError:
            return ready()
        finally:
            self.count -= 1
        return True
