"""The statements on jobs that a worker has on lease: keeping them, letting go of them, and taking over from others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, func, select, tuple_, update

from stagedoor.jobs.nouns import Job, JobState
from stagedoor.jobs.store import RUNNING, job_of_row, jobs, padded
from stagedoor.storage import Transaction

_KEEP: Final = (
    update(jobs)
    .where(
        jobs.c.seq.in_(bindparam("seqs", expanding=True)),
        jobs.c.owner.in_(bindparam("claimers", expanding=True)),
        jobs.c.state == RUNNING,
    )
    .values(lease_until=bindparam("until"))
    .returning(jobs.c.seq, jobs.c.owner)
)
_LEAVE: Final = (
    update(jobs)
    .where(jobs.c.seq == bindparam("key"), jobs.c.owner == bindparam("claimer"), jobs.c.state == RUNNING)
    .values(
        state=bindparam("to"),
        run_at=func.coalesce(bindparam("at", type_=BigInteger), jobs.c.run_at),
        attempts=bindparam("tried"),
        error=bindparam("reason"),
        finished_at=bindparam("finished"),
        owner=None,
        lease_until=None,
    )
    .returning(jobs.c.again, jobs.c.run_at)
)
_COMPLETE: Final = (
    update(jobs)
    .where(tuple_(jobs.c.seq, jobs.c.owner).in_(bindparam("claims", expanding=True)), jobs.c.state == RUNNING)
    .values(state="done", finished_at=bindparam("finished"), error=None, owner=None, lease_until=None)
    .returning(jobs.c.seq, jobs.c.again, jobs.c.run_at)
)


def keep(tx: Transaction, claims: Collection[tuple[int, str]], until: int) -> set[tuple[int, str]]:
    """Lengthen leases, given as numbers and claimers; those that are still the claimers'."""
    values = {
        "seqs": padded([seq for seq, _ in claims]),
        "claimers": padded({claimer for _, claimer in claims}),
        "until": until,
    }
    return {(row.seq, row.owner) for row in tx.execute(_KEEP, values)}


class Left(NamedTuple):
    """What a job that was let go of leaves to be done: whether it is to run `again`, and when."""

    again: bool
    run_at: int


def leave(
    tx: Transaction, job: Job, state: JobState, *, now: int, run_at: int | None = None, attempts: int, error: str | None
) -> Left | None:
    """Let go of a job that the caller has on lease, as ended or to be tried again.

    Returns:
        What was asked for while it ran; `None` when the caller has no lease on it any more, and then nothing may be
        changed on its behalf.
    """
    row = tx.execute(
        _LEAVE,
        {
            "key": job.seq,
            "claimer": job.owner,
            "to": state,
            "at": run_at,
            "tried": attempts,
            "reason": error,
            "finished": None if state == "queued" else now,
        },
    ).first()
    return None if row is None else Left(bool(row.again), row.run_at)


def complete(tx: Transaction, claims: Collection[tuple[int, str]], now: int) -> dict[int, Left]:
    """End different jobs as done, given as numbers and claimers; the numbers of those that are still the claimers', and
    what was asked for while they ran."""
    rows = tx.execute(_COMPLETE, {"claims": padded(claims), "finished": now})
    return {row.seq: Left(bool(row.again), row.run_at) for row in rows}


def expired(tx: Transaction, now: int, limit: int) -> list[Job]:
    """Jobs whose worker let its lease run out."""
    query = (
        select(jobs).where(jobs.c.state == RUNNING, jobs.c.lease_until < now).order_by(jobs.c.lease_until).limit(limit)
    )
    query = query.with_for_update(skip_locked=True)
    return [job_of_row(row) for row in tx.execute(query)]


def expire_of(tx: Transaction, node: str) -> None:
    """Every lease of a node's earlier processes runs out now."""
    mine = func.substr(jobs.c.owner, 1, len(node) + 1) == f"{node}."
    tx.execute(update(jobs).where(jobs.c.state == RUNNING, mine).values(lease_until=0))


def expire_all(tx: Transaction) -> None:
    """End every lease: each of their workers is known to be gone."""
    tx.execute(update(jobs).where(jobs.c.state == RUNNING).values(lease_until=0))
