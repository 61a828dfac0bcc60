"""Viewers of a room's HLS: who asked for a playlist a short time ago watches, and is on the bill."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from stagedoor.kernel.errors import TooMany
from stagedoor.outputs.hls.metrics import HLS_VIEWERS
from stagedoor.usage.running_meters import RunningMeters


@dataclass(slots=True)
class _Viewer:
    """One viewer.

    Attributes:
        until: When it has left, by the monotonic clock, unless it asks again.
        asking: How many of its requests are under way.
    """

    until: float
    asking: int
    metered: ExitStack


class HlsViewers:
    """The viewers of one room on this node.

    Args:
        app_id: Who pays.
        livekit_room: The room.
        running: Meters how long each viewer watches.
    """

    def __init__(self, app_id: str, livekit_room: str, running: RunningMeters) -> None:
        self._app_id = app_id
        self._room = livekit_room
        self._running = running
        self._viewers: dict[str, _Viewer] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def enter(self, viewer: str, limit: int) -> None:
        """A viewer asks for a playlist.

        Raises:
            TooMany: There are `limit` others already.
        """
        known = self._viewers.get(viewer)
        if known is not None:
            known.asking += 1
            return
        if len(self._viewers) >= limit:
            raise TooMany(
                f"{limit} watch this room's HLS, which is the most that the app lets.",
                code="too_many_viewers",
                extra={"limit": limit},
                headers={"Retry-After": "10"},
            )
        metered = ExitStack()
        metered.enter_context(self._running.run("viewer", self._app_id, self._room))
        self._viewers[viewer] = _Viewer(0.0, 1, metered)
        HLS_VIEWERS.inc()

    def leave(self, viewer: str, seconds: float) -> None:
        """Note that it has its answer: it watches for so long unless it asks again."""
        known = self._viewers.get(viewer)
        if known is not None:
            known.asking -= 1
            known.until = time.monotonic() + seconds

    def sweep(self) -> None:
        """Forget those that have left."""
        now = time.monotonic()
        for name, viewer in list(self._viewers.items()):
            if not viewer.asking and viewer.until <= now:
                self._forget(name)

    def close(self) -> None:
        """Forget all."""
        for name in list(self._viewers):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._viewers.pop(name).metered.close()
        HLS_VIEWERS.dec()
