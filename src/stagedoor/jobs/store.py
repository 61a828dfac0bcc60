"""The table of jobs, and the statements that claim, keep and end them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)

from stagedoor.jobs.nouns import Job, JobState, NewJob
from stagedoor.storage import Prepared, Transaction, metadata, upsert
from stagedoor.storage.records import record
from stagedoor.storage.types import row_id

_IS_UNFINISHED: Final = text("state IN ('queued', 'running')")

jobs = Table(
    "jobs",
    metadata,
    row_id("seq"),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("payload", Text, nullable=False),
    Column("unique_key", String(255), nullable=True),
    Column("lane", String(255), nullable=True),
    Column("group_key", String(255), nullable=True),
    Column("run_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("owner", String(64), nullable=True),
    Column("lease_until", BigInteger, nullable=True),
    Column("trace", String(64), nullable=True),
    Column("error", Text, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=True),
    Column("finished_at", BigInteger, nullable=True),
    Index(
        "uq_jobs_unfinished_key",
        "kind",
        "unique_key",
        unique=True,
        sqlite_where=_IS_UNFINISHED,
        postgresql_where=_IS_UNFINISHED,
    ),
    Index(
        "ix_jobs_ready",
        "kind",
        "run_at",
        "seq",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_jobs_lease_until",
        "lease_until",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index("ix_jobs_lane", "lane", "seq", sqlite_where=_IS_UNFINISHED, postgresql_where=_IS_UNFINISHED),
    Index(
        "ix_jobs_running_lane",
        "lane",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(
        "ix_jobs_given_up",
        "kind",
        "unique_key",
        sqlite_where=text("state IN ('failed', 'dead')"),
        postgresql_where=text("state IN ('failed', 'dead')"),
    ),
    Index("ix_jobs_finished_at", "finished_at"),
    sqlite_autoincrement=True,  # the order of a lane is the order of numbers, so none is ever given twice
)

# Their states are written into the statements and not bound: neither engine uses a partial index for a state that it is
# only bound when the statement runs. SQLite then looked through every job for each that it took (2.2 s with 28,000).
QUEUED: Final[ColumnElement[str]] = literal_column("'queued'", String)
RUNNING: Final[ColumnElement[str]] = literal_column("'running'", String)

# Statements of the working path are built once: building one costs several times as much as running it.

_COLUMNS: Final = [
    "id",
    "kind",
    "state",
    "payload",
    "unique_key",
    "lane",
    "group_key",
    "run_at",
    "attempts",
    "trace",
    "created_at",
]
_VALUES: Final[dict[str, Any]] = {name: bindparam(name) for name in _COLUMNS}
_VALUES["again"] = false()
_INSERT: Final = Prepared(insert(jobs).values(_VALUES))


def _insert_unique() -> Any:
    """Insert, or mark the unfinished job of the same key: an earlier time counts, and one that runs runs once more.

    While a job runs, its time is that of the next run, once there is to be one.
    """
    statement = upsert(jobs).values(_VALUES)
    runs = jobs.c.state == RUNNING
    first = runs & ~jobs.c.again
    sooner = statement.excluded.run_at < jobs.c.run_at
    return statement.on_conflict_do_update(
        index_elements=["kind", "unique_key"],
        index_where=_IS_UNFINISHED,
        set_={
            "again": or_(jobs.c.again, runs),
            "run_at": case((or_(first, sooner), statement.excluded.run_at), else_=jobs.c.run_at),
        },
    ).returning(jobs.c.id)


_INSERT_UNIQUE: Final = Prepared(_insert_unique())
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
_DUE_KINDS: Final = Prepared(
    select(jobs.c.kind).where(jobs.c.state == QUEUED, jobs.c.run_at <= bindparam("now")).distinct()
)
_NEXT_JOB: Final = Prepared(
    select(func.min(jobs.c.run_at)).where(jobs.c.state == QUEUED, jobs.c.run_at > bindparam("now"))
)
_FIRST_LEASE: Final = Prepared(select(func.min(jobs.c.lease_until)).where(jobs.c.state == RUNNING))
_LOOK_AHEAD: Final = 4
"""How many jobs are looked at for each that may be taken, so that those of a full group hide no others."""


def insert_job(tx: Transaction, job_id: str, job: NewJob, now: int) -> str:
    """Store a job; the id of the unfinished one that has its key already, or of the new one."""
    values = {
        "id": job_id,
        "kind": job.kind,
        "state": "queued",
        "payload": msgspec.json.encode(job.payload).decode(),
        "unique_key": job.unique_key,
        "lane": job.lane,
        "group_key": job.group_key,
        "run_at": job.run_at or now,
        "attempts": 0,
        "trace": job.trace,
        "created_at": now,
    }
    if job.unique_key is None:
        tx.run(_INSERT, values)
        return job_id
    return str(tx.rows(_INSERT_UNIQUE, values)[0][0])


def claim(
    tx: Transaction,
    kind: str,
    *,
    claimer: str,
    now: int,
    until: int,
    limit: int,
    group_limit: int,
    running_of_group: dict[str, int],
) -> list[Job]:
    """Take up to `limit` jobs whose time has come, and no more of a group than it may have.

    Args:
        running_of_group: How many of each group the caller is working on.
    """
    full = [group for group, running in running_of_group.items() if running >= group_limit]
    query = (
        select(jobs.c.seq, jobs.c.group_key, jobs.c.lane)
        .where(jobs.c.kind == kind, jobs.c.state == QUEUED, jobs.c.run_at <= now, _IS_FIRST_OF_LANE)
        .order_by(jobs.c.run_at, jobs.c.seq)
        .limit(limit * _LOOK_AHEAD)
    )
    if full:
        query = query.where(or_(jobs.c.group_key.is_(None), jobs.c.group_key.not_in(full)))
    query = query.with_for_update(skip_locked=True, of=jobs)
    counts = dict(running_of_group)
    chosen: list[tuple[int, str | None]] = []
    for row in tx.execute(query):
        if row.group_key is not None:
            if counts.get(row.group_key, 0) >= group_limit:
                continue
            counts[row.group_key] = counts.get(row.group_key, 0) + 1
        chosen.append((row.seq, row.lane))
        if len(chosen) == limit:
            break
    lanes = _lock_lanes(tx, {lane for _, lane in chosen if lane is not None})
    seqs = [seq for seq, lane in chosen if lane is None or lane in lanes]
    if not seqs:
        return []
    rows = tx.execute(_CLAIM, {"seqs": seqs, "claimer": claimer, "until": until, "now": now})
    return sorted(map(job_of_row, rows), key=lambda job: (job.run_at, job.seq))


def _lock_lanes(tx: Transaction, lanes: Collection[str]) -> Collection[str]:
    """Keep other nodes from claiming in these lanes until the transaction ends; those that no other node is at.

    Two nodes may each see another job as the first of a lane: one that was asked for earlier may appear, by its late
    commit or an operator's retry, while a later one is being claimed. The claim looks again under this lock.
    """
    return tx.try_lock("jobs", lanes)


def keep(tx: Transaction, claims: Collection[tuple[int, str]], until: int) -> set[tuple[int, str]]:
    """Lengthen leases, given as numbers and claimers; those that are still the claimers'."""
    values = {
        "seqs": [seq for seq, _ in claims],
        "claimers": list({claimer for _, claimer in claims}),
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
    rows = tx.execute(_COMPLETE, {"claims": list(claims), "finished": now})
    return {row.seq: Left(bool(row.again), row.run_at) for row in rows}


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


def unfinished_of_key(tx: Transaction, kind: str, unique_key: str) -> Job | None:
    """The job that has the key now."""
    row = tx.execute(
        select(jobs).where(jobs.c.kind == kind, jobs.c.unique_key == unique_key, jobs.c.state.in_([QUEUED, RUNNING]))
    ).first()
    return None if row is None else job_of_row(row)


def delete_queued(tx: Transaction, kind: str, unique_key: str) -> None:
    """Forget the job that has the key, unless it runs."""
    tx.execute(delete(jobs).where(jobs.c.kind == kind, jobs.c.unique_key == unique_key, jobs.c.state == QUEUED))


def delete_given_up(tx: Transaction, kind: str, unique_key: str) -> None:
    """Forget those of the key that failed or died."""
    given_up = jobs.c.state.in_([literal_column("'failed'", String), literal_column("'dead'", String)])
    tx.execute(delete(jobs).where(jobs.c.kind == kind, jobs.c.unique_key == unique_key, given_up))


def delete_done(tx: Transaction, before: int, limit: int) -> int:
    """Delete jobs that were done before a time, in a bounded batch; how many."""
    return _delete_finished(tx, (jobs.c.state == "done") & (jobs.c.finished_at < before), limit)


def delete_ended(tx: Transaction, before: int, limit: int) -> int:
    """Delete jobs that ended before a time, however they did, in a bounded batch; how many."""
    return _delete_finished(tx, jobs.c.finished_at < before, limit)


def _delete_finished(tx: Transaction, old: ColumnElement[bool], limit: int) -> int:
    return tx.execute(delete(jobs).where(jobs.c.seq.in_(select(jobs.c.seq).where(old).limit(limit)))).rowcount


def job_of_row(row: Row[Any]) -> Job:
    values = record(row)
    values["payload"] = msgspec.json.decode(values["payload"])
    return Job(**values)
