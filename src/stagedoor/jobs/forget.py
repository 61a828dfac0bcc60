"""Finished jobs are kept for a while, for the operator, and then forgotten."""

from __future__ import annotations

from typing import Final

from stagedoor.jobs import store
from stagedoor.jobs.nouns import Job, JobKind
from stagedoor.kernel.clock import now_ms
from stagedoor.storage import Database

_BATCH_SIZE: Final = 500
"""How many rows one transaction deletes: others wait for it."""

_EVERY_SECONDS: Final = 3600.0


def kind(database: Database, done_seconds: int, ended_seconds: int) -> JobKind:
    """The job that forgets those that are done, and after a longer time those that failed, died or were cancelled."""

    async def forget(_: Job) -> None:
        now = now_ms()
        deleted = _BATCH_SIZE
        while deleted == _BATCH_SIZE:
            deleted = await database.write(
                lambda tx: store.delete_finished(
                    tx,
                    done_before=now - done_seconds * 1000,
                    ended_before=now - ended_seconds * 1000,
                    limit=_BATCH_SIZE,
                )
            )

    return JobKind("jobs.forget", forget, every_seconds=_EVERY_SECONDS, timeout_seconds=600)
