"""The worker: claims jobs in batches, keeps their leases while their handlers run, and ends each in one fenced
transaction with its effect.

What it knows is in the table, so whatever stops it (an exception, SIGKILL, a lost database), its jobs are taken up
again: by this process when it comes back, or by another node when the lease has run out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import structlog

from stagedoor.jobs import store
from stagedoor.jobs.metrics import JOB_SECONDS, JOBS_ENDED
from stagedoor.jobs.nouns import RECURRING, Effect, GiveUp, Job, JobKind, JobState, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import Jump
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.kernel.texts import storable
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()
_T = TypeVar("_T")

LEASE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 1.0
"""How often the worker looks without having been told: for jobs whose time comes, and for those of other nodes."""

_EXPIRED_AT_ONCE: Final = 100
_AWAY_SECONDS: Final = 5.0
_STORE_AGAIN_SECONDS: Final = 0.5


_Claim = tuple[int, str]
"""A job's number and who claimed it. A worker that let a lease run out may find the job itself and have it twice for
a while: as the claim that lost, which may change nothing any more, and as the one that counts."""


def _claim_of(job: Job) -> _Claim:
    return job.seq, job.owner or ""


class _LeaseLost(Exception):
    """Somebody else has the job now, or nobody should."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an attempt came to."""

    state: Literal["done", "failed", "retry"]
    reason: str | None = None
    effect: Effect | None = None
    after_seconds: float | None = None
    counted: bool = True


async def _attempt(kind: JobKind, job: Job) -> _Verdict:
    try:
        async with asyncio.timeout(kind.timeout_seconds):
            return _Verdict("done", effect=await kind.handler(job))
    except Retry as retry:
        return _Verdict("retry", storable(str(retry)), retry.effect, retry.after_seconds, retry.counted)
    except GiveUp as end:
        return _Verdict("failed", storable(str(end)), end.effect)
    except StorageUnavailable as error:
        return _Verdict("retry", str(error), after_seconds=_AWAY_SECONDS, counted=False)
    except TimeoutError:
        return _Verdict("retry", f"It took longer than {kind.timeout_seconds:g} s.")
    except Exception as error:  # noqa: BLE001 - whatever a handler raises, the job is tried again
        _log.exception("job_attempt_failed", job_id=job.id, kind=job.kind, attempts=job.attempts)
        return _Verdict("retry", _sentence(error))


def _sentence(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}"[:500])


class Worker:
    """Works on jobs of the given kinds.

    Args:
        database: Where they are.
        queue: Tells the worker of new ones.
        kinds: What it can do.
        lease_seconds: How long after its last sign of life its jobs are another worker's.
        alone: No other process works on this database, so at the start every lease is a dead one's.
        node: A name that this place keeps over restarts, and no other has: at the start the leases of its earlier
            processes are dead ones'.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        kinds: Iterable[JobKind],
        *,
        lease_seconds: float = LEASE_SECONDS,
        alone: bool | None = None,
        node: str | None = None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._kinds = {kind.name: kind for kind in kinds}
        self._lease_seconds = lease_seconds
        self._alone = database.sole_writer if alone is None else alone
        self._node = node
        self._name = new_id("wrk") if node is None else f"{node}.{new_id('wrk')}"
        self._claims = 0
        self._running: dict[_Claim, tuple[Job, asyncio.Task[None]]] = {}
        self._ready = set(self._kinds)
        self._awake = asyncio.Event()
        self._unsettled = 0
        queue.listen(self)

    @property
    def running(self) -> int:
        """Jobs that handlers work on now."""
        return len(self._running)

    async def run(self) -> None:
        """Work until cancelled; what is not finished then waits for the next worker."""
        keeper = asyncio.create_task(self._keep_leases(), name="job leases")
        try:
            if self._alone:
                await self._try(store.expire_all)
            elif self._node is not None:
                await self._try(lambda tx: store.expire_of(tx, self._node or ""))
            scheduled = None
            while True:
                self._awake.clear()
                scheduled = scheduled or await self._try(self._schedule)
                await self._take_over()
                while self._ready:
                    await self._claim(self._ready.pop())
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._awake.wait()
                except TimeoutError:
                    self._ready.update(self._kinds)
        finally:
            keeper.cancel()
            await self._let_go()

    async def clock_jumped(self, jump: Jump) -> None:
        """Reschedule what would wait for a time that the clock shows again much later.

        A recurring job is at most one period late. On a database with one writer all waits are this process's, and
        stay as long as they were; what is due because the clock was set forward is done at once.
        """
        if jump.by > 0:
            self._ready.update(self._kinds)
            self._awake.set()
            return

        def work(tx: Transaction) -> None:
            now = now_ms()
            if self._database.sole_writer:
                store.move_waiting(tx, jump.by, now)
            every = {
                kind.name: int(kind.every_seconds * 1000)
                for kind in self._kinds.values()
                if kind.every_seconds is not None
            }
            store.bring_forward(tx, every, now)

        await self._try(work)

    def ready(self, kind: str) -> None:
        """A job of the kind may be ready."""
        if kind in self._kinds:
            self._ready.add(kind)
            self._awake.set()

    def cancelled(self, job_id: str) -> None:
        """Break off the job, if this worker has it."""
        for job, task in self._running.values():
            if job.id == job_id:
                task.cancel()

    async def _claim(self, name: str) -> None:
        kind = self._kinds[name]
        mine = [job for job, _ in self._running.values() if job.kind == name]
        free = kind.concurrency - len(mine)
        if free <= 0:
            return  # the end of one of them wakes us
        groups = Counter(job.group_key for job in mine if job.group_key is not None)
        self._claims += 1
        claimer = f"{self._name}:{self._claims}"
        now = now_ms()
        claimed = await self._try(
            lambda tx: store.claim(
                tx,
                name,
                claimer=claimer,
                now=now,
                until=now + int(self._lease_seconds * 1000),
                limit=free,
                group_limit=kind.group_concurrency,
                running_of_group=groups,
            )
        )
        for job in claimed or ():
            task = asyncio.create_task(self._work(kind, job), name=f"job {job.kind} {job.id}")
            self._running[_claim_of(job)] = job, task
            task.add_done_callback(lambda _, job=job: self._ended(job))

    def _ended(self, job: Job) -> None:
        del self._running[_claim_of(job)]
        self.ready(job.kind)

    async def _work(self, kind: JobKind, job: Job) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        about = {"stagedoor.job.id": job.id, "stagedoor.job.attempt": job.attempts}
        with tracing.span(f"job {job.kind}", parent=job.trace, kind="consumer", attributes=about) as span:
            verdict = await _attempt(kind, job)
            try:
                outcome = await self._settle_once_stored(kind, job, verdict)
            except _LeaseLost:
                outcome = "lost"
                _log.warning("job_lease_lost", job_id=job.id, kind=job.kind)
            span.note({"stagedoor.job.outcome": outcome})
            if outcome != "done":
                span.failed(outcome)
        JOBS_ENDED.labels(job.kind, outcome).inc()
        JOB_SECONDS.labels(job.kind).observe(clock() - began)

    async def _settle_once_stored(self, kind: JobKind, job: Job, verdict: _Verdict) -> str:
        """Settle the job when the database is back, if it is away: what the handler did outside shall not be done again
        only because its result could not be stored. The claim ends this when another worker has the job."""
        try:
            return await self._settle(kind, job, verdict)
        except StorageUnavailable as error:
            _log.warning("job_result_not_stored", job_id=job.id, kind=job.kind, error=str(error))
        self._unsettled += 1
        try:
            while True:
                await asyncio.sleep(_STORE_AGAIN_SECONDS)
                with contextlib.suppress(StorageUnavailable):
                    return await self._settle(kind, job, verdict)
        finally:
            self._unsettled -= 1

    async def _settle(self, kind: JobKind, job: Job, verdict: _Verdict) -> str:
        """Record what became of an attempt, with its effect."""
        try:
            return await self._database.write(lambda tx: self._record(tx, kind, job, verdict))
        except (_LeaseLost, StorageUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the effect's own mistake, which must not end the worker
            _log.exception("job_effect_not_stored", job_id=job.id, kind=job.kind)
            wrong = _Verdict("retry", _sentence(error))
            return await self._database.write(lambda tx: self._record(tx, kind, job, wrong))

    def _record(self, tx: Transaction, kind: JobKind, job: Job, verdict: _Verdict) -> str:
        if verdict.state != "retry":
            self._finish(tx, job, verdict.state, verdict.reason, verdict.effect)
            return verdict.state
        if verdict.counted and job.attempts >= kind.max_attempts:
            self._finish(tx, job, "dead", verdict.reason, verdict.effect)
            if kind.on_dead is not None:
                kind.on_dead(tx, job, verdict.reason or "")
            return "dead"
        now = now_ms()
        wait = kind.backoff(job.attempts) if verdict.after_seconds is None else verdict.after_seconds
        tried = job.attempts if verdict.counted else job.attempts - 1
        left = store.leave(
            tx, job, "queued", now=now, run_at=now + int(wait * 1000), attempts=tried, error=verdict.reason
        )
        if left is None:
            raise _LeaseLost
        if verdict.effect is not None:
            verdict.effect(tx)
        return "retried"

    def _finish(self, tx: Transaction, job: Job, state: JobState, error: str | None, effect: Effect | None) -> None:
        left = store.leave(tx, job, state, now=now_ms(), attempts=job.attempts, error=error)
        if left is None:
            raise _LeaseLost
        if effect is not None:
            effect(tx)
        every = self._kinds[job.kind].every_seconds
        if job.unique_key == RECURRING and every is not None:
            self._queue.put(tx, NewJob(job.kind, unique_key=RECURRING, run_at=now_ms() + int(every * 1000)))
        elif left.again:
            asked = NewJob(job.kind, job.payload, job.unique_key, job.lane, job.group_key, left.run_at, job.trace)
            self._queue.put(tx, asked)

    def _schedule(self, tx: Transaction) -> bool:
        """Have those done that are done again and again; on several nodes the key leaves one of each."""
        for kind in self._kinds.values():
            if kind.every_seconds is not None:
                self._queue.put(tx, NewJob(kind.name, unique_key=RECURRING))
        return True

    async def _take_over(self) -> None:
        """Give back to the queue what a worker that died had on lease.

        Not while results of this worker wait for the database: its own leases ran out too, and are settled first.
        """
        if self._unsettled:
            return

        def look(tx: Transaction) -> None:
            now = now_ms()
            for job in store.expired(tx, now, _EXPIRED_AT_ONCE):
                kind = self._kinds.get(job.kind)
                reason = "Its worker died."
                if kind is None or job.attempts < kind.max_attempts:
                    store.leave(tx, job, "queued", now=now, run_at=now, attempts=job.attempts, error=reason)
                    tx.after_commit(lambda name=job.kind: self.ready(name))
                    continue
                self._finish(tx, job, "dead", reason, None)
                if kind.on_dead is not None:
                    kind.on_dead(tx, job, reason)

        await self._try(look)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            claims = set(self._running)
            if not claims:
                continue
            until = now_ms() + int(self._lease_seconds * 1000)
            kept = await self._try(lambda tx: store.keep(tx, claims, until))  # noqa: B023
            if kept is None:
                continue  # the database is away, for everybody
            for lost in claims - kept:
                running = self._running.get(lost)
                if running is not None:
                    running[1].cancel()

    async def _let_go(self) -> None:
        """Stop what runs and put it back, without counting the attempt."""
        running = list(self._running.values())
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)

        def put_back(tx: Transaction) -> None:
            now = now_ms()
            for job, _ in running:
                store.leave(tx, job, "queued", now=now, run_at=now, attempts=job.attempts - 1, error=None)

        if running:
            with contextlib.suppress(StorageUnavailable):
                await self._database.write(put_back)

    async def _try(self, work: Callable[[Transaction], _T]) -> _T | None:
        """`database.write`; `None` while the database is away or something unforeseen is wrong, which is logged."""
        try:
            return await self._database.write(work)
        except StorageUnavailable as error:
            _log.warning("jobs_unavailable", error=str(error))
        except Exception:  # noqa: BLE001 - what is stored stays, and the next pass may well work
            _log.exception("jobs_pass_failed")
        return None
