"""Settling attempts at jobs: each in one fenced transaction with its effect, and those without an effect together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import structlog

from stagedoor.jobs import lease_store
from stagedoor.jobs.attempt import Verdict, sentence
from stagedoor.jobs.nouns import RECURRING, Effect, Job, JobKind, JobState, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()
_COMPLETED_AT_ONCE: Final = 200
_STORE_AGAIN_SECONDS: Final = 0.5

Claim = tuple[int, str]
"""A job's number and who claimed it. A worker that let a lease run out may find the job itself and have it twice for
a while: as the claim that lost, which may change nothing any more, and as the one that counts."""


def claim_of(job: Job) -> Claim:
    """The claim under which a worker has the job."""
    return job.seq, job.owner or ""


class LeaseLost(Exception):
    """Another worker has the job now, or none should."""


class Settler:
    """Settles attempts.

    Args:
        database: Where the jobs are.
        queue: Where jobs are asked for that follow from the end of others.
        kinds: The kinds of the jobs, by their names.
    """

    def __init__(self, database: Database, queue: Queue, kinds: Mapping[str, JobKind]) -> None:
        self._database = database
        self._queue = queue
        self._kinds = kinds
        self._done: list[tuple[Job, asyncio.Future[str]]] = []
        self._completing: asyncio.Task[None] | None = None
        self._unsettled = 0

    @property
    def waits_for_database(self) -> bool:
        """Whether results are held until the database is back."""
        return self._unsettled > 0

    async def close(self) -> None:
        """Return when what is being stored is."""
        if self._completing is not None:
            await self._completing

    async def settle(self, kind: JobKind, job: Job, verdict: Verdict) -> str:
        """Settle the job when the database is back, if it is away: what the handler did outside shall not be done again
        only because its result could not be stored. The claim ends this when another worker has the job."""
        try:
            return await self._store(kind, job, verdict)
        except StorageUnavailable as error:
            _log.warning("job_result_not_stored", job_id=job.id, kind=job.kind, error=str(error))
        self._unsettled += 1
        try:
            while True:
                await asyncio.sleep(_STORE_AGAIN_SECONDS)
                with contextlib.suppress(StorageUnavailable):
                    return await self._store(kind, job, verdict)
        finally:
            self._unsettled -= 1

    async def _store(self, kind: JobKind, job: Job, verdict: Verdict) -> str:
        """Record what became of an attempt, with its effect."""
        if verdict.state == "done" and verdict.effect is None and job.unique_key != RECURRING:
            return await self._complete(job)
        try:
            return await self._database.write(lambda tx: self._record(tx, kind, job, verdict))
        except (LeaseLost, StorageUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the effect's own mistake, which must not end the worker
            _log.exception("job_effect_not_stored", job_id=job.id, kind=job.kind)
            wrong = Verdict("retry", sentence(error))
            return await self._database.write(lambda tx: self._record(tx, kind, job, wrong))

    async def _complete(self, job: Job) -> str:
        """End a job that changes nothing in the database, together with others that end at the same time."""
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._done.append((job, ended))
        if self._completing is None or self._completing.done():
            self._completing = asyncio.create_task(self._complete_all(), name="job completion")
        return await ended

    async def _complete_all(self) -> None:
        while self._done:
            batch: dict[int, tuple[Job, asyncio.Future[str]]] = {}
            waiting, self._done = self._done, []
            for job, ended in waiting:
                # A job that this worker has twice is ended by the claim that counts, and each is looked at by itself.
                if job.seq in batch or len(batch) == _COMPLETED_AT_ONCE:
                    self._done.append((job, ended))
                else:
                    batch[job.seq] = job, ended
            try:
                found = await self._database.write(lambda tx: self._complete_in(tx, [job for job, _ in batch.values()]))  # noqa: B023
            except Exception as error:  # noqa: BLE001 - each of the jobs hears of it
                for _, ended in batch.values():
                    if not ended.done():
                        ended.set_exception(error)
                continue
            for seq, (_, ended) in batch.items():
                if ended.done():  # its job was cancelled meanwhile
                    continue
                if seq in found:
                    ended.set_result("done")
                else:
                    ended.set_exception(LeaseLost())

    def _complete_in(self, tx: Transaction, jobs: list[Job]) -> set[int]:
        """End these jobs in this transaction; the numbers of those whose claims held."""
        found = lease_store.complete(tx, [claim_of(job) for job in jobs], now_ms())
        for job in jobs:
            left = found.get(job.seq)
            if left is not None and left.again:
                self._queue.put(tx, _once_more(job, left))
        return set(found)

    def _record(self, tx: Transaction, kind: JobKind, job: Job, verdict: Verdict) -> str:
        if verdict.state != "retry":
            self.finish(tx, job, verdict.state, verdict.reason, verdict.effect)
            return verdict.state
        if verdict.counted and job.attempts >= kind.max_attempts:
            self.finish(tx, job, "dead", verdict.reason, verdict.effect)
            if kind.on_dead is not None:
                kind.on_dead(tx, job, verdict.reason or "")
            return "dead"
        now = now_ms()
        wait = kind.backoff(job.attempts) if verdict.after_seconds is None else verdict.after_seconds
        tried = job.attempts if verdict.counted else job.attempts - 1
        left = lease_store.leave(
            tx, job, "queued", now=now, run_at=now + int(wait * 1000), attempts=tried, error=verdict.reason
        )
        if left is None:
            raise LeaseLost
        if verdict.effect is not None:
            verdict.effect(tx)
        return "retried"

    def finish(self, tx: Transaction, job: Job, state: JobState, error: str | None, effect: Effect | None) -> None:
        left = lease_store.leave(tx, job, state, now=now_ms(), attempts=job.attempts, error=error)
        if left is None:
            raise LeaseLost
        if effect is not None:
            effect(tx)
        every = self._kinds[job.kind].every_seconds
        if job.unique_key == RECURRING and every is not None:
            self._queue.put(tx, NewJob(job.kind, unique_key=RECURRING, run_at=now_ms() + int(every * 1000)))
        elif left.again:
            self._queue.put(tx, _once_more(job, left))


def _once_more(job: Job, left: lease_store.Left) -> NewJob:
    """What was asked for while the job ran."""
    return NewJob(job.kind, job.payload, job.unique_key, job.lane, job.group_key, left.run_at, job.trace)
