"""What operators read, count and decide of jobs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update

from stagedoor.jobs.nouns import Job, JobState
from stagedoor.jobs.store import QUEUED, job_of_row, jobs
from stagedoor.storage import Transaction

COUNTED: Final = ("queued", "running", "failed", "dead")


def set_state(tx: Transaction, job: Job, state: JobState, *, now: int) -> None:
    """What an operator decides, whichever worker has the job on lease."""
    fresh = state == "queued"
    tx.execute(
        update(jobs)
        .where(jobs.c.seq == job.seq)
        .values(
            state=state,
            run_at=now if fresh else job.run_at,
            attempts=0 if fresh else job.attempts,
            again=False,
            owner=None,
            lease_until=None,
            finished_at=None if fresh else now,
        )
    )


def job_by_id(tx: Transaction, job_id: str, *, locked: bool = False) -> Job | None:
    """A job; `locked` keeps others from changing it until the transaction ends."""
    query = select(jobs).where(jobs.c.id == job_id)
    if locked:
        query = query.with_for_update()
    row = tx.execute(query).first()
    return None if row is None else job_of_row(row)


def list_jobs(tx: Transaction, *, state: str | None, kind: str | None, before: int | None, limit: int) -> list[Job]:
    """Jobs, newest first."""
    query = select(jobs).order_by(jobs.c.seq.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    if before is not None:
        query = query.where(jobs.c.seq < before)
    return [job_of_row(row) for row in tx.execute(query)]


def depths(tx: Transaction) -> dict[tuple[str, str], int]:
    """How many jobs there are by kind and state; those that are done are not counted."""
    query = select(jobs.c.kind, jobs.c.state, func.count().label("n")).where(jobs.c.state.in_(COUNTED))
    return {(row.kind, row.state): row.n for row in tx.execute(query.group_by(jobs.c.kind, jobs.c.state))}


def oldest_ready(tx: Transaction, now: int) -> dict[str, int]:
    """Since when the job of each kind that waits longest could have run."""
    query = select(jobs.c.kind, func.min(jobs.c.run_at).label("since"))
    query = query.where(jobs.c.state == QUEUED, jobs.c.run_at <= now).group_by(jobs.c.kind)
    return {row.kind: row.since for row in tx.execute(query)}
