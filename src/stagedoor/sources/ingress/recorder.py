"""Stores the state of publications: what changes at once, what is measured every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from stagedoor.events.feed import Feed
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.changes import new_event
from stagedoor.sources.ingress.live import Happening, LiveIngress
from stagedoor.sources.ingress.state import State
from stagedoor.sources.ingress.store import Stored
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.store import hold_apps

_log = structlog.get_logger()

MEASURED_SECONDS: Final = 5.0
"""Between two writes of nothing but measurements."""

LEASE_MS: Final = 8_000
"""How long a node's publications are taken to go on when it is not heard of; renewed three times in that."""

_RETRY_SECONDS: Final = 1.0
_MOST_HAPPENINGS: Final = 100
"""Events of a publication that wait for a database that is away; further ones are left out, but the last."""

Outcome = Literal["stored", "lost"]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    state: State
    happenings: Sequence[Happening]


class Recorder:
    """Stores the states of this node's publications.

    Args:
        database: Where they are stored.
        feed: Where transitions become events.
        node: This node's name.
        measured_seconds: Between two writes of nothing but measurements.
    """

    def __init__(
        self, database: Database, feed: Feed, node: str, *, measured_seconds: float = MEASURED_SECONDS
    ) -> None:
        self._database = database
        self._feed = feed
        self._node = node
        self._measured_seconds = measured_seconds

    async def follow(self, live: LiveIngress) -> None:
        """Store what happens to a publication, until it is over or another one has taken its place."""
        while True:
            await self._until_due(live)
            live.woken.clear()
            live.changed.clear()
            over, snapshot = live.over, _Snapshot(live.state, tuple(live.happenings))
            try:
                outcome = await self._database.write(lambda tx, live=live, of=snapshot: self._store(tx, live, of))
            except StorageUnavailable as error:
                _log.warning("ingress_state_not_stored", ingress=live.ingress.id, error=str(error))
                live.changed.set()
                live.woken.set()
                del live.happenings[_MOST_HAPPENINGS:-1]
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            del live.happenings[: len(snapshot.happenings)]
            if over or outcome == "lost":
                return

    async def _until_due(self, live: LiveIngress) -> None:
        since = time.monotonic()
        await live.woken.wait()
        left = self._measured_seconds - (time.monotonic() - since)
        if left > 0 and not live.changed.is_set():
            try:
                async with asyncio.timeout(left):
                    await live.changed.wait()
            except TimeoutError:
                pass  # nothing but measurements

    def _store(self, tx: Transaction, live: LiveIngress, of: _Snapshot) -> Outcome:
        ingress = live.ingress
        hold_apps(tx, {ingress.app_id})
        stored = store.stored_of(tx, ingress.id, lock=True)
        if stored is None or stored.publication != live.publication:
            return "lost"  # what took its place or ended it has stored that
        after = of.state
        happenings = list(of.happenings)
        if not stored.state.live and after.live and after.started_at is not None and not happenings:
            # Another node took this one for lost and recorded its end.
            happenings = [Happening("ingress.started", stored.state, after, now_ms())]
        kept = live.publication if after.live else None
        until = now_ms() + LEASE_MS if after.live else None
        store.save_state(tx, Stored(ingress.id, after, self._node if after.live else None, kept, until))
        self._feed.append_all(
            tx, [new_event(tx, ingress, one.event, one.before, one.after, one.at, one.reason) for one in happenings]
        )
        return "stored"
