"""Records usage that LiveKit's events do not report: how long cameras sent, and how long viewers watched frames."""

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
"""The interval of writes: at most this much usage is lost when the process is killed, or missing from a session that
ends in between."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Usage that is written in one transaction, which may be retried: the id makes it count once."""

    id: str
    used: Used


class MediaUsageRecorder:
    """Writes the usage since its last write: to the app, and to the session that is open in the room at that moment.

    Usage that is written after its session has ended counts for the app alone: a session's reported usage is final.

    Args:
        database: The database that usage is written to.
        node: This node's name, unique in the cluster.
        running: The running meters of this node.
    """

    def __init__(self, database: Database, node: str, running: RunningMeters) -> None:
        self._database = database
        self._node = node
        self._running = running
        self._batch: _Batch | None = None
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Write every ten seconds until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.write()

    async def close(self) -> None:
        """Write the remaining usage; call this once no meter runs."""
        await self.write()

    async def write(self) -> None:
        """Write the usage so far; usage that cannot be stored now is kept for the next write."""
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
    """Add a batch to the recorded usage, unless it is recorded already: a commit may succeed although it failed to
    report so."""
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
