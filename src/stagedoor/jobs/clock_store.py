"""The statements that move the times of jobs, because the clock was set."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import update

from stagedoor.jobs.nouns import RECURRING
from stagedoor.jobs.store import QUEUED, RUNNING, jobs
from stagedoor.storage import Transaction


def bring_forward(tx: Transaction, recurring: Mapping[str, int], now: int) -> None:
    """Have recurring jobs, given with their periods in milliseconds, wait for no longer than that.

    The clock was set back since they were planned.
    """
    for kind, every in recurring.items():
        tx.execute(
            update(jobs)
            .where(jobs.c.kind == kind, jobs.c.unique_key == RECURRING, jobs.c.state == QUEUED)
            .where(jobs.c.run_at > now + every)
            .values(run_at=now + every)
        )


def move_waiting(tx: Transaction, by: int, now: int) -> None:
    """Move the times and leases that lie ahead by `by` milliseconds: they were reckoned by the clock before."""
    tx.execute(update(jobs).where(jobs.c.state == QUEUED, jobs.c.run_at > now).values(run_at=jobs.c.run_at + by))
    tx.execute(
        update(jobs)
        .where(jobs.c.state == RUNNING, jobs.c.lease_until > now)
        .values(lease_until=jobs.c.lease_until + by)
    )
