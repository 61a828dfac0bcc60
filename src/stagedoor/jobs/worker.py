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

from stagedoor.jobs import clock_store, store
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
LONGEST_SLEEP_SECONDS: Final = 30.0
"""How often the worker looks without a notification: for jobs whose time comes, and for those of other nodes."""

_GATHER_SECONDS: Final = 0.01
"""Between two rounds of claims where each is a round trip: what is asked for meanwhile is claimed by one statement."""

_EXPIRED_AT_ONCE: Final = 100
_COMPLETED_AT_ONCE: Final = 200
_AWAY_SECONDS: Final = 5.0
_STORE_AGAIN_SECONDS: Final = 0.5


_Claim = tuple[int, str]
"""A job's number and who claimed it. A worker that let a lease run out may find the job itself and have it twice for
a while: as the claim that lost, which may change nothing any more, and as the one that counts."""


def _claim_of(job: Job) -> _Claim:
    return job.seq, job.owner or ""


class _LeaseLost(Exception):
    """Another worker has the job now, or none should."""


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


def _once_more(job: Job, left: store.Left) -> NewJob:
    """What was asked for while the job ran."""
    return NewJob(job.kind, job.payload, job.unique_key, job.lane, job.group_key, left.run_at, job.trace)


class Worker:
    """Works on jobs of the given kinds.

    Args:
        database: Where they are.
        queue: Notifies the worker of new ones.
        kinds: What it can do.
        lease_seconds: How long after its last sign of life its jobs are another worker's.
        alone: No other process works on this database, so at the start every lease is a dead one's.
        node: A name that this place keeps over restarts, and no other has: at the start the leases of its earlier
            processes are dead ones'.
        polls: Whether to look every second for what other processes asked for; by default where there can be others.
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
        polls: bool | None = None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._kinds = {kind.name: kind for kind in kinds}
        self._lease_seconds = lease_seconds
        self._alone = database.sole_writer if alone is None else alone
        self._node = node
        self._polls = not database.sole_writer if polls is None else polls
        self._name = new_id("wrk") if node is None else f"{node}.{new_id('wrk')}"
        self._claims = 0
        self._running: dict[_Claim, tuple[Job, asyncio.Task[None]]] = {}
        self._ready = set(self._kinds)
        self._awake = asyncio.Event()
        self._full: set[str] = set()
        """Kinds of which there may be more than could be claimed."""
        self._claiming: asyncio.Task[list[Job] | None] | None = None
        self._done: list[tuple[Job, asyncio.Future[str]]] = []
        self._completing: asyncio.Task[None] | None = None
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
                while self._ready:
                    await self._claim(self._ready.pop())
                if self._awake.is_set():
                    await asyncio.sleep(_GATHER_SECONDS if self._polls else 0)
                    continue
                outlook = await self._try_read(lambda tx: store.outlook(tx, now_ms()))
                if outlook is not None and outlook.expired:
                    await self._take_over()
                try:
                    async with asyncio.timeout(self._sleep_seconds(outlook)):
                        await self._awake.wait()
                except TimeoutError:
                    await self._look_around()
        finally:
            keeper.cancel()
            await self._let_go()

    def look(self) -> None:
        """Look at everything that is stored, now rather than when the next job is due."""
        self._ready.update(self._kinds)
        self._awake.set()

    async def _look_around(self) -> None:
        """Find what has become due, or was asked for by other nodes, without having been notified."""
        outlook = await self._try_read(lambda tx: store.outlook(tx, now_ms()))
        if outlook is not None:
            self._ready |= outlook.due & self._kinds.keys()

    def _sleep_seconds(self, outlook: store.Outlook | None) -> float:
        """Until something is due. Other nodes' jobs notify no worker here, and what is due now waits for a free place,
        a lane or another node's lock."""
        if outlook is None or self._polls or outlook.due & self._kinds.keys():
            return POLL_SECONDS
        if outlook.next_at is None:
            return LONGEST_SLEEP_SECONDS
        return min(max(outlook.next_at - now_ms(), 1) / 1000, LONGEST_SLEEP_SECONDS)

    async def clock_jumped(self, jump: Jump) -> None:
        """Reschedule what would wait for a time that the clock shows again much later.

        A recurring job is at most one period late. On a database with one writer all waits are this process's, and
        stay as long as they were; what is due because the clock was set forward is done at once.
        """
        if jump.by > 0:
            self.look()
            return

        def work(tx: Transaction) -> None:
            now = now_ms()
            if self._database.sole_writer:
                clock_store.move_waiting(tx, jump.by, now)
            every = {
                kind.name: int(kind.every_seconds * 1000)
                for kind in self._kinds.values()
                if kind.every_seconds is not None
            }
            clock_store.bring_forward(tx, every, now)

        await self._try(work)
        self.look()

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
            self._full.add(name)
            return  # the end of one of them wakes us
        groups = Counter(job.group_key for job in mine if job.group_key is not None)
        self._claims += 1
        claimer = f"{self._name}:{self._claims}"
        now = now_ms()
        self._claiming = asyncio.create_task(
            self._try(
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
            ),
            name="job claim",
        )
        claimed = await asyncio.shield(self._claiming)  # or what is claimed while this is cancelled would stay leased
        if claimed is None or len(claimed) == free:
            self._full.add(name)
        for job in claimed or ():
            task = asyncio.create_task(self._work(kind, job), name=f"job {job.kind} {job.id}")
            self._running[_claim_of(job)] = job, task
            task.add_done_callback(lambda _, job=job: self._ended(job))
        self._claiming = None

    def _ended(self, job: Job) -> None:
        del self._running[_claim_of(job)]
        if job.kind in self._full or job.lane is not None or job.group_key is not None:
            self._full.discard(job.kind)
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
                self._awake.set()  # it may be due again, sooner than what is slept for
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
        if verdict.state == "done" and verdict.effect is None and job.unique_key != RECURRING:
            return await self._complete(job)
        try:
            return await self._database.write(lambda tx: self._record(tx, kind, job, verdict))
        except (_LeaseLost, StorageUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the effect's own mistake, which must not end the worker
            _log.exception("job_effect_not_stored", job_id=job.id, kind=job.kind)
            wrong = _Verdict("retry", _sentence(error))
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
                    ended.set_exception(_LeaseLost())

    def _complete_in(self, tx: Transaction, jobs: list[Job]) -> set[int]:
        """End these jobs in this transaction; the numbers of those whose claims held."""
        found = store.complete(tx, [_claim_of(job) for job in jobs], now_ms())
        for job in jobs:
            left = found.get(job.seq)
            if left is not None and left.again:
                self._queue.put(tx, _once_more(job, left))
        return set(found)

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
            self._queue.put(tx, _once_more(job, left))

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
                continue  # the database is away, for every worker
            for lost in claims - kept:
                running = self._running.get(lost)
                if running is not None:
                    running[1].cancel()

    async def _let_go(self) -> None:
        """Stop what runs and put it back, without counting the attempt."""
        running = list(self._running.values())
        held = [job for job, _ in running]
        for _, task in running:
            task.cancel()
        if self._claiming is not None:
            held.extend(await self._claiming or ())
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)
        if self._completing is not None:
            await self._completing

        def put_back(tx: Transaction) -> None:
            now = now_ms()
            for job in held:
                store.leave(tx, job, "queued", now=now, run_at=now, attempts=job.attempts - 1, error=None)

        if held:
            with contextlib.suppress(StorageUnavailable):
                await self._database.write(put_back)

    async def _try_read(self, work: Callable[[Transaction], _T]) -> _T | None:
        """`database.read`; `None` while the database is away."""
        try:
            return await self._database.read(work)
        except StorageUnavailable as error:
            _log.warning("jobs_not_read", error=str(error))
            return None

    async def _try(self, work: Callable[[Transaction], _T]) -> _T | None:
        """`database.write`; `None` while the database is away or something unforeseen is wrong, which is logged."""
        try:
            return await self._database.write(work)
        except StorageUnavailable as error:
            _log.warning("jobs_unavailable", error=str(error))
        except Exception:  # noqa: BLE001 - what is stored stays, and the next pass may well work
            _log.exception("jobs_pass_failed")
        return None
