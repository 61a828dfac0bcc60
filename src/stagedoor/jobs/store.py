"""The table of jobs: asking for them, and forgetting them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, TypeVar

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
    bindparam,
    case,
    delete,
    false,
    insert,
    literal_column,
    or_,
    select,
    text,
)

from stagedoor.jobs.nouns import Job, NewJob
from stagedoor.storage import Prepared, Transaction, metadata, upsert
from stagedoor.storage.records import record
from stagedoor.storage.types import row_id

_T = TypeVar("_T")
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
        "ix_jobs_ready_of_group",
        "kind",
        "group_key",
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


def padded(values: Collection[_T]) -> list[_T]:
    """The values, the last one repeated up to a power of two.

    A list of each length is a statement of its own, which each connection to PostgreSQL parses and plans again.
    """
    found = list(values)
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found)) if found else found


def job_of_row(row: Row[Any]) -> Job:
    values = record(row)
    values["payload"] = msgspec.json.decode(values["payload"])
    return Job(**values)
