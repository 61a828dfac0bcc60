"""The worker that reconciles: at start, after LiveKit came back, and every so often."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.metrics import LIVEKIT_UP
from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.rooms.metrics import RECONCILE_RUNS, REPAIRS
from stagedoor.rooms.reconcile import Reconciler

_log = structlog.get_logger()
_RETRY_SECONDS = 2.0


class ReconcileWorker:
    """Reconciles when asked to and at each interval.

    Args:
        gateway: LiveKit.
        reconciler: What compares.
        ban_enforcer: What looks for banned participants after each comparison.
        interval: Seconds between two comparisons.
        apply_pending: Applies the events that are stored. A session that the backlog would open after LiveKit's list
            was taken is on no list, and would be closed at a guessed time.
        afterwards: What else compares something with LiveKit's lists.
    """

    def __init__(
        self,
        gateway: LiveKitGateway,
        reconciler: Reconciler,
        ban_enforcer: BanEnforcer,
        interval: float,
        apply_pending: Callable[[], Awaitable[None]],
        afterwards: Callable[[ServerState], Awaitable[None]] | None = None,
    ) -> None:
        self._gateway = gateway
        self._reconciler = reconciler
        self._ban_enforcer = ban_enforcer
        self._interval = interval
        self._apply_pending = apply_pending
        self._afterwards = afterwards
        self._asked = asyncio.Event()
        self._lost_at: int | None = None

    def lost(self, at: int) -> None:
        """LiveKit ended at `at` (milliseconds since the epoch); what it had is over when it answers again."""
        LIVEKIT_UP.set(0)
        self._lost_at = at

    def ask(self) -> None:
        """Reconcile soon."""
        self._asked.set()

    async def once(self) -> Counter[str]:
        """One comparison.

        Raises:
            Problem: LiveKit did not answer.
            StorageUnavailable: The database did not.
        """
        lost_at = self._lost_at
        await self._apply_pending()
        state = await self._gateway.list_everything()
        repairs = await self._reconciler.run(state, lost_at)
        if self._lost_at == lost_at:
            self._lost_at = None
        LIVEKIT_UP.set(1)
        for type_, count in repairs.items():
            REPAIRS.labels(type_).inc(count)
        await self._ban_enforcer.sweep()
        if self._afterwards is not None:
            await self._afterwards(state)
        return repairs

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            self._asked.clear()
            wait = self._interval
            try:
                repairs = await self.once()
                RECONCILE_RUNS.labels("failed" if self._reconciler.failed_rooms else "ok").inc()
                if repairs:
                    _log.info("state_repaired", repairs=dict(repairs))
            except (Problem, StorageUnavailable) as error:
                RECONCILE_RUNS.labels("failed").inc()
                LIVEKIT_UP.set(0)
                wait = min(wait, _RETRY_SECONDS)
                _log.warning("reconcile_unavailable", error=str(error))
            except Exception:  # noqa: BLE001 - the next pass may well work, and nothing else repairs the state
                RECONCILE_RUNS.labels("failed").inc()
                _log.exception("reconcile_failed")
            try:
                async with asyncio.timeout(wait):
                    await self._asked.wait()
            except TimeoutError:
                pass
