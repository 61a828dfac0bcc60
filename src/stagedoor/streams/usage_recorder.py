"""Adds to usage what no event of LiveKit's tells: how long cameras sent, and how long somebody watched their frames."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import presence
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.store import hold_apps
from stagedoor.usage import accounting
from stagedoor.usage import store as usage
from stagedoor.usage.meters import Amounts
from stagedoor.usage.running_meters import RunningMeters, Used

_log = structlog.get_logger()
_EVERY_SECONDS: Final = 10.0
"""So much is lost when the process is killed, and is missing from the session that ends in between."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is written in one transaction, however often that is tried."""

    id: str
    used: Used


class MediaUsageRecorder:
    """Writes what has run since it last did: to the app, and to the session that lives in the room at that moment.

    What is left over when a session has ended is the app's alone: what was said of a session is not changed by it.

    Args:
        database: Where usage is kept.
        node: This node's name, unlike any other's.
        running: What runs on this node.
    """

    def __init__(self, database: Database, node: str, running: RunningMeters) -> None:
        self._database = database
        self._node = node
        self._running = running
        self._batch: _Batch | None = None
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Write every so often, for ever."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.write()

    async def close(self) -> None:
        """Write what is left, once nothing runs any more."""
        await self.write()

    async def write(self) -> None:
        """Write what has run so far; what can't be stored now is kept for the next time."""
        async with self._writing:
            try:
                await self._write_batch()
                used = self._running.take()
                if used:
                    self._batch = _Batch(new_id("use"), used)
                    await self._write_batch()
            except StorageUnavailable as error:
                _log.warning("media_usage_not_stored", error=str(error))

    async def _write_batch(self) -> None:
        batch = self._batch
        if batch is not None:
            await self._database.write(lambda tx: add(tx, self._node, batch.id, batch.used))
            self._batch = None


def add(tx: Transaction, node: str, batch: str, used: Used) -> None:
    """Add a batch to what is recorded, unless it is recorded already: of a commit that failed one may not know."""
    living = presence.open_sessions_of_rooms(tx, {place.livekit_room for place in used})
    presence.lock_rooms(tx, living.keys())
    if not usage.begin_batch(tx, node, batch):
        return
    sessions = presence.open_sessions_of_rooms(tx, living.keys())  # one may have ended before it was ours to change
    apps: defaultdict[str, defaultdict[int, Amounts]] = defaultdict(lambda: defaultdict(Amounts))
    parts: defaultdict[str, dict[str, dict[int, Amounts]]] = defaultdict(dict)
    kept = hold_apps(tx, {place.app_id for place in used})
    for place, hours in used.items():
        if place.app_id not in kept:
            continue
        for hour, amounts in hours.items():
            apps[place.app_id][hour] += amounts
        session = sessions.get(place.livekit_room)
        if session is not None and session.app_id == place.app_id:
            parts[place.app_id][session.id] = hours
    for app_id, hours in sorted(apps.items()):
        accounting.add(tx, app_id, hours, parts[app_id])
