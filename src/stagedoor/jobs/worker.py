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
from typing import Final, TypeVar

import structlog

from stagedoor.jobs import claim_store, clock_store, lease_store
from stagedoor.jobs.attempt import attempt
from stagedoor.jobs.metrics import JOB_SECONDS, JOBS_ENDED
from stagedoor.jobs.nouns import RECURRING, Job, JobKind, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.settle import Claim, LeaseLost, Settler, claim_of
from stagedoor.jobs.shares import Shares
from stagedoor.kernel import tracing
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.clock_watch import Jump
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.kernel.ids import new_id
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
        self._running: dict[Claim, tuple[Job, asyncio.Task[None]]] = {}
        self._ready = set(self._kinds)
        self._awake = asyncio.Event()
        self._full: set[str] = set()
        """Kinds of which there may be more than could be claimed."""
        self._claiming: asyncio.Task[list[Job] | None] | None = None
        self._settler = Settler(database, queue, self._kinds)
        queue.listen(self)

    @property
    def running(self) -> int:
        """Jobs that handlers work on now."""
        return len(self._running)

    async def run(self) -> None:
        """Work until cancelled; what is not finished then waits for the next worker."""
        renewing = asyncio.create_task(self._keep_leases(), name="job leases")
        try:
            if self._alone:
                await self._try(lease_store.expire_all)
            elif self._node is not None:
                await self._try(lambda tx: lease_store.expire_of(tx, self._node or ""))
            scheduled = None
            while True:
                self._awake.clear()
                scheduled = scheduled or await self._try(self._schedule)
                while self._ready:
                    await self._claim(self._ready.pop())
                if self._awake.is_set():
                    await asyncio.sleep(_GATHER_SECONDS if self._polls else 0)
                    continue
                outlook = await self._try_read(lambda tx: claim_store.outlook(tx, now_ms()))
                if outlook is not None and outlook.expired:
                    await self._take_over()
                try:
                    async with asyncio.timeout(self._sleep_seconds(outlook)):
                        await self._awake.wait()
                except TimeoutError:
                    await self._look_around()
        finally:
            renewing.cancel()
            await self._let_go()

    def look(self) -> None:
        """Look at everything that is stored, now rather than when the next job is due."""
        self._ready.update(self._kinds)
        self._awake.set()

    async def _look_around(self) -> None:
        """Find what has become due, or was asked for by other nodes, without having been notified."""
        outlook = await self._try_read(lambda tx: claim_store.outlook(tx, now_ms()))
        if outlook is not None:
            self._ready |= outlook.due & self._kinds.keys()

    def _sleep_seconds(self, outlook: claim_store.Outlook | None) -> float:
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
        shares = None
        if kind.group_concurrency is not None:
            shares = Shares(kind.concurrency, kind.group_concurrency, Counter(job.group_key for job in mine))
        self._claims += 1
        claimer = f"{self._name}:{self._claims}"
        now = now_ms()
        self._claiming = asyncio.create_task(
            self._try(
                lambda tx: claim_store.claim(
                    tx,
                    name,
                    claimer=claimer,
                    now=now,
                    until=now + int(self._lease_seconds * 1000),
                    limit=free,
                    shares=shares,
                )
            ),
            name="job claim",
        )
        claimed = await asyncio.shield(self._claiming)  # or what is claimed while this is cancelled would stay leased
        if claimed is None or len(claimed) == free:
            self._full.add(name)
        for job in claimed or ():
            task = asyncio.create_task(self._work(kind, job), name=f"job {job.kind} {job.id}")
            self._running[claim_of(job)] = job, task
            task.add_done_callback(lambda _, job=job: self._ended(job))
        self._claiming = None

    def _ended(self, job: Job) -> None:
        del self._running[claim_of(job)]
        if job.kind in self._full or job.lane is not None or job.group_key is not None:
            self._full.discard(job.kind)
            self.ready(job.kind)

    async def _work(self, kind: JobKind, job: Job) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        about = {"stagedoor.job.id": job.id, "stagedoor.job.attempt": job.attempts}
        with tracing.span(f"job {job.kind}", parent=job.trace, kind="consumer", attributes=about) as span:
            verdict = await attempt(kind, job)
            try:
                outcome = await self._settler.settle(kind, job, verdict)
            except LeaseLost:
                outcome = "lost"
                _log.warning("job_lease_lost", job_id=job.id, kind=job.kind)
            span.note({"stagedoor.job.outcome": outcome})
            if outcome != "done":
                span.failed(outcome)
                self._awake.set()  # it may be due again, sooner than what is slept for
        JOBS_ENDED.labels(job.kind, outcome).inc()
        JOB_SECONDS.labels(job.kind).observe(clock() - began)

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
        if self._settler.waits_for_database:
            return

        def look(tx: Transaction) -> None:
            now = now_ms()
            for job in lease_store.expired(tx, now, _EXPIRED_AT_ONCE):
                kind = self._kinds.get(job.kind)
                reason = "Its worker died."
                if kind is None or job.attempts < kind.max_attempts:
                    lease_store.leave(tx, job, "queued", now=now, run_at=now, attempts=job.attempts, error=reason)
                    tx.after_commit(lambda name=job.kind: self.ready(name))
                    continue
                self._settler.finish(tx, job, "dead", reason, None)
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
            kept = await self._try(lambda tx: lease_store.keep(tx, claims, until))  # noqa: B023
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
        await self._settler.close()

        def put_back(tx: Transaction) -> None:
            now = now_ms()
            for job in held:
                lease_store.leave(tx, job, "queued", now=now, run_at=now, attempts=job.attempts - 1, error=None)

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
