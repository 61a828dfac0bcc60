"""After the wall clock was set: the times of open sessions are adjusted, so that durations stay right.

A call that began at 12:00 by a clock that was then set forward by an hour began at 13:00 by the clock that ends it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from stagedoor.kernel.clock_watch import Jump
from stagedoor.rooms import clock_store
from stagedoor.rooms.nouns import TimeSource
from stagedoor.storage import Database


class SessionClock:
    """Adjusts the times of open sessions.

    Several processes on one database have clocks of their own, and none may adjust what the others recorded: there the
    machines' clocks have to be right (docs/how-to/deploy.md).

    Args:
        database: Where sessions are.
        shared: Whether LiveKit has the same clock, because it runs on the same machine. The times of another machine's
            LiveKit stay right.
    """

    def __init__(self, database: Database, *, shared: bool) -> None:
        self._database = database
        self._sources: Collection[TimeSource] = get_args(TimeSource) if shared else ("reconcile",)

    async def jumped(self, jump: Jump) -> None:
        """Adjust the times of what is open."""
        if self._database.sole_writer:
            await self._database.write(lambda tx: clock_store.adjust_times(tx, jump.before, jump.by, self._sources))
