"""Retention: one registry of what is deleted when it is older than it has to be kept, and the jobs that delete it.

Each folder says how its rows are deleted; here is when, in batches that keep no other writer waiting, and not while the
clock cannot be trusted: who deletes by a wrong clock deletes everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.jobs.nouns import Handler, Job, JobKind, Retry
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import store as tenancy
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()

SWEEP: Final = "retention.sweep"
_BATCH_SIZE: Final = 500
"""How many rows one transaction deletes: others wait for it."""

_LONGEST_SECONDS: Final = 3600.0
_LATE_MS: Final = 86_400_000
_UPTIME_MS: Final = 3_600_000

Delete = Callable[[Transaction, int, int], int]
"""Deletes the oldest rows from before a time in milliseconds, so many at the most; returns how many."""

DeleteOfApp = Callable[[Transaction, App, int, int], int]
"""The same, of one app."""


@dataclass(frozen=True, slots=True)
class _Rule:
    after_seconds: int
    delete: Delete


@dataclass(frozen=True, slots=True)
class _RuleOfApps:
    after_seconds: Callable[[App], int | None]
    delete: DeleteOfApp


class Retention:
    """What is deleted when.

    Args:
        database: Where the rows are.
        clock: Says whether the wall clock can be trusted.
    """

    def __init__(self, database: Database, clock: ClockWatch) -> None:
        self._database = database
        self._clock = clock
        self._every: dict[str, float] = {}
        self._rules: defaultdict[str, list[_Rule]] = defaultdict(list)
        self._of_apps: list[_RuleOfApps] = []

    def register(self, kind: str, after_seconds: int, delete: Delete, *, every_seconds: float = 3600.0) -> None:
        """Have the job `kind` delete rows of the whole installation that are older than `after_seconds`."""
        self._every[kind] = every_seconds
        self._rules[kind].append(_Rule(after_seconds, delete))

    def register_of_apps(self, after_seconds: Callable[[App], int | None], delete: DeleteOfApp) -> None:
        """Have the sweep delete rows of each app; `None`: this app keeps them."""
        self._of_apps.append(_RuleOfApps(after_seconds, delete))

    def kinds(self, sweep_seconds: float) -> Sequence[JobKind]:
        """The jobs; the sweep is repeated every `sweep_seconds`."""
        jobs = [self._kind(kind, self._deletes(rules), self._every[kind]) for kind, rules in self._rules.items()]
        return [*jobs, self._kind(SWEEP, self._sweep, sweep_seconds)]

    def _kind(self, name: str, work: Handler, every_seconds: float) -> JobKind:
        async def guarded(job: Job) -> None:
            self._refuse_in_doubt(job, every_seconds)
            await work(job)

        return JobKind(name, guarded, every_seconds=every_seconds, timeout_seconds=_LONGEST_SECONDS)

    def _refuse_in_doubt(self, job: Job, every_seconds: float) -> None:
        """Have the job wait after the clock was set forward, which makes everything look old.

        Before this process was started the clock was not watched: what is more than a day late then may be so because
        the product was off, or because the clock is wrong.

        Raises:
            Retry: Not now.
        """
        wait = self._clock.doubted_for_ms()
        reason = "The clock was set forward; nothing is deleted until it has been right for a day."
        if not wait and now_ms() - job.created_at - every_seconds * 1000 > _LATE_MS:
            wait = _UPTIME_MS - self._clock.uptime_ms
            reason = "Nothing was deleted for more than a day; it waits until this process has run for an hour."
        if wait > 0:
            _log.warning("retention_waits", kind=job.kind, reason=reason, seconds=wait / 1000)
            raise Retry(reason, after_seconds=min(wait / 1000, every_seconds), counted=False)

    def _deletes(self, rules: Sequence[_Rule]) -> Handler:
        async def delete(_: Job) -> None:
            for rule in rules:
                before = now_ms() - rule.after_seconds * 1000
                await self._in_batches(lambda tx, rule=rule, before=before: rule.delete(tx, before, _BATCH_SIZE))

        return delete

    async def _sweep(self, _: Job) -> None:
        for app in await self._database.read(tenancy.all_apps):
            for rule in self._of_apps:
                kept = rule.after_seconds(app)
                if kept is None:
                    continue
                before = now_ms() - kept * 1000
                try:
                    await self._in_batches(
                        lambda tx, rule=rule, app=app, before=before: rule.delete(tx, app, before, _BATCH_SIZE)
                    )
                except StorageUnavailable:
                    raise
                except Exception:  # noqa: BLE001 - one app's rows that cannot be deleted keep no other's
                    _log.exception("retention_failed", app_id=app.id)

    async def _in_batches(self, delete: Callable[[Transaction], int]) -> None:
        while await self._database.write(delete) >= _BATCH_SIZE:
            pass
