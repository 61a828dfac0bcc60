"""The statements that claim jobs for a worker, and look at what waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, and_, bindparam, exists, func, or_, select, update

from stagedoor.jobs.nouns import Job
from stagedoor.jobs.shares import Shares
from stagedoor.jobs.store import QUEUED, RUNNING, job_of_row, jobs, padded
from stagedoor.storage import Prepared, Transaction

_other = jobs.alias("other")
_IS_FIRST_OF_LANE: Final = or_(
    jobs.c.lane.is_(None),
    and_(
        ~exists().where(_other.c.lane == jobs.c.lane, _other.c.state.in_([QUEUED, RUNNING]), _other.c.seq < jobs.c.seq),
        # One that an operator has done once more is earlier than the one that runs, and waits for it all the same.
        ~exists().where(_other.c.lane == jobs.c.lane, _other.c.state == RUNNING),
    ),
)
_CLAIM: Final = (
    update(jobs)
    .where(jobs.c.seq.in_(bindparam("seqs", expanding=True)), _IS_FIRST_OF_LANE)
    .values(
        state="running",
        owner=bindparam("claimer"),
        lease_until=bindparam("until"),
        attempts=jobs.c.attempts + 1,
        started_at=bindparam("now"),
    )
    .returning(*jobs.c)
)
_DUE_KINDS: Final = Prepared(
    select(jobs.c.kind).where(jobs.c.state == QUEUED, jobs.c.run_at <= bindparam("now")).distinct()
)
_NEXT_JOB: Final = Prepared(
    select(func.min(jobs.c.run_at)).where(jobs.c.state == QUEUED, jobs.c.run_at > bindparam("now"))
)
_FIRST_LEASE: Final = Prepared(select(func.min(jobs.c.lease_until)).where(jobs.c.state == RUNNING))


def _due_groups() -> Any:
    """Each group with a job that waits, found by one look at the index for each, and since when its first could run.

    A look at every job that waits would take a hundred milliseconds when one group has as many as it may.
    """
    waits = jobs.c.kind == bindparam("kind"), jobs.c.state == QUEUED
    first = select(func.min(jobs.c.group_key).label("name")).where(*waits).cte("found", recursive=True)
    following = select(func.min(jobs.c.group_key)).where(*waits, jobs.c.group_key > first.c.name).scalar_subquery()
    found = first.union_all(select(following).where(first.c.name.is_not(None)))
    since = select(func.min(jobs.c.run_at)).where(*waits, jobs.c.group_key == found.c.name).scalar_subquery()
    return select(found.c.name, since.label("since")).where(found.c.name.is_not(None))


_DUE_GROUPS: Final = Prepared(_due_groups())


def claim(
    tx: Transaction, kind: str, *, claimer: str, now: int, until: int, limit: int, shares: Shares | None = None
) -> list[Job]:
    """Take up to `limit` jobs whose time has come: the oldest, or in turn the oldest of each group.

    Args:
        tx: The transaction.
        kind: Of which kind.
        claimer: Who takes them.
        now: The time.
        until: How long the lease lasts.
        limit: At the most.
        shares: The groups' shares of the worker's places, if the kind has groups.
    """
    if shares is None:
        found = list(tx.execute(_ready(kind, now, limit)))
    else:
        groups = tx.rows(_DUE_GROUPS, {"kind": kind})
        since: dict[str | None, int] = {None: now} | {name: at for name, at in groups if at <= now}
        found = list(shares.pick(limit, since, lambda group, most: _of_group(tx, kind, group, now, most)))
    lanes = _lock_lanes(tx, {row.lane for row in found if row.lane is not None})
    seqs = [row.seq for row in found if row.lane is None or row.lane in lanes]
    if not seqs:
        return []
    rows = tx.execute(_CLAIM, {"seqs": padded(seqs), "claimer": claimer, "until": until, "now": now})
    return sorted(map(job_of_row, rows), key=lambda job: (job.run_at, job.seq))


def _of_group(tx: Transaction, kind: str, group: str | None, now: int, limit: int) -> Sequence[Row[int, str | None]]:
    query = _ready(kind, now, limit).where(jobs.c.group_key == group)  # `IS NULL` for None
    # The group is first in its index, and PostgreSQL does not see that it is the same in all rows.
    return tx.execute(query.order_by(None).order_by(jobs.c.group_key, jobs.c.run_at, jobs.c.seq)).all()


def _ready(kind: str, now: int, limit: int) -> Select[int, str | None]:
    query = select(jobs.c.seq, jobs.c.lane).where(
        jobs.c.kind == kind, jobs.c.state == QUEUED, jobs.c.run_at <= now, _IS_FIRST_OF_LANE
    )
    return query.order_by(jobs.c.run_at, jobs.c.seq).limit(limit).with_for_update(skip_locked=True, of=jobs)


def _lock_lanes(tx: Transaction, lanes: Collection[str]) -> Collection[str]:
    """Keep other nodes from claiming in these lanes until the transaction ends; those that no other node is at.

    Two nodes may each see another job as the first of a lane: one that was asked for earlier may appear, by its late
    commit or an operator's retry, while a later one is being claimed. The claim looks again under this lock.
    """
    return tx.try_lock("jobs", lanes)


class Outlook(NamedTuple):
    """What waits.

    Attributes:
        due: Kinds of which a job could run now.
        expired: Whether a lease has run out.
        next_at: When the next job is due or the next lease runs out, in milliseconds since the epoch.
    """

    due: set[str]
    expired: bool
    next_at: int | None


def outlook(tx: Transaction, now: int) -> Outlook:
    """What is due now, and when something is next."""
    due = {row[0] for row in tx.rows(_DUE_KINDS, {"now": now})}
    (next_job,) = tx.rows(_NEXT_JOB, {"now": now})[0]
    (lease,) = tx.rows(_FIRST_LEASE, {})[0]
    expired = lease is not None and lease < now
    times = [at for at in (next_job, None if expired or lease is None else lease + 1) if at is not None]
    return Outlook(due, expired, min(times, default=None))
