"""A queue with real workers whose every attempt a test holds in its hands, beside a small model of what must be so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlalchemy import update

from stagedoor.jobs import operator_store, store
from stagedoor.jobs.nouns import UNFINISHED, Effect, GiveUp, Job, JobKind, JobState, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict
from stagedoor.storage import Database, Transaction, open_database

KIND: Final = "work"
EFFECT: Final = "effect"
"""What an attempt that is done leaves behind; nobody works on it."""

CONCURRENCY: Final = 3
GROUP_LIMIT: Final = 1
ATTEMPTS: Final = 3
_HOUR_MS: Final = 3_600_000
_ALL: Final = 100_000
_SECONDS: Final = 15
"""A worker looks by itself every second, so what is not begun by then is lost."""

Verdict = Literal["done", "done with an effect", "retry now", "retry later", "give up", "an exception"]
VERDICTS: Final[tuple[Verdict, ...]] = (
    "done", "done with an effect", "retry now", "retry later", "give up", "an exception",
)  # fmt: skip


@dataclass(eq=False)
class Attempt:
    """A handler that runs until the test says what comes of it."""

    job: Job
    process: Process
    verdict: asyncio.Future[Effect | None]


@dataclass(eq=False)
class Process:
    """A worker with connections of its own, which die with it."""

    database: Database
    busy: list[Attempt] = field(default_factory=list[Attempt])
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None

    def has_place_for(self, group: str | None) -> bool:
        if len(self.busy) == CONCURRENCY:
            return False
        return group is None or sum(one.job.group_key == group for one in self.busy) < GROUP_LIMIT


@dataclass(eq=False)
class Item:
    """What the model knows of a job.

    Attributes:
        due: Its time has come; the other jobs of a test wait for an hour.
        owner: The attempt that may end it.
        expired: Its owner's lease has run out and no worker has noticed.
    """

    id: str
    seq: int
    key: str | None
    lane: str | None
    group: str | None
    due: bool
    state: JobState = "queued"
    attempts: int = 0
    again: bool = False
    owner: Attempt | None = None
    expired: bool = False

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


@dataclass(frozen=True)
class Successor:
    """A job that the end of another must have asked for."""

    key: str | None
    lane: str | None
    group: str | None
    due: bool


class Scene:
    """The queue, the processes that work on it, and the model."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url
        self._queue = Queue()
        self._begun: list[Attempt] = []
        self._items: dict[str, Item] = {}
        self._successors: list[Successor] = []
        self._effects: list[tuple[str, int]] = []
        self.processes: list[Process] = []

    # What is there to choose from, always in an order that does not depend on who was faster

    def items(self, *states: JobState) -> list[Item]:
        found = [item for item in self._items.values() if item.state in states]
        return sorted(found, key=lambda item: item.seq)

    def attempts(self) -> list[Attempt]:
        """Those that go on, also those whose job is another's by now."""
        found = [attempt for process in self.processes for attempt in process.busy]
        return sorted(found, key=lambda attempt: (attempt.job.seq, attempt.job.attempts))

    # What happens

    async def empty(self) -> None:
        await self._database.write(lambda tx: tx.execute(store.jobs.delete()))

    async def put(self, *, key: str | None, lane: str | None, group: str | None, due: bool) -> None:
        new = NewJob(KIND, {}, key, lane, group, run_at=0 if due else now_ms() + _HOUR_MS)
        job_id = await self._database.write(lambda tx: self._queue.put(tx, new))
        other = next((item for item in self._items.values() if key and item.key == key and item.unfinished), None)
        if other is None:
            assert job_id not in self._items
            self._items[job_id] = Item(job_id, (await self._job(job_id)).seq, key, lane, group, due)
        else:
            assert job_id == other.id, "two unfinished jobs have one key"
            runs = other.state == "running"
            if due or (runs and not other.again):
                other.due = due
            other.again = other.again or runs
        await self.settle()

    async def end(self, attempt: Attempt, verdict: Verdict) -> None:
        """A handler ends; if its job is another's by now, nothing comes of it."""
        job = attempt.job
        effect = NewJob(EFFECT, {"of": job.id, "attempt": job.attempts})
        if verdict == "done with an effect":
            attempt.verdict.set_result(lambda tx: self._queue.put(tx, effect))
        elif verdict == "done":
            attempt.verdict.set_result(None)
        else:
            attempt.verdict.set_exception(_raised(verdict))
        item = self._items[job.id]
        if item.owner is attempt:
            if verdict == "done with an effect":
                self._effects.append((job.id, job.attempts))
            self._ended(item, verdict)
        await self.settle()

    async def cancel(self, item: Item) -> None:
        if item.unfinished:
            await self._database.write(lambda tx: self._queue.cancel(tx, item.id))
            item.state, item.again, item.owner, item.expired = "cancelled", False, None, False
        else:
            await self._refused(lambda tx: self._queue.cancel(tx, item.id))
        await self.settle()

    async def retry(self, item: Item) -> None:
        """An operator has it done now."""
        rival = any(
            item.key is not None and other.key == item.key and other.unfinished
            for other in self._items.values()
            if other is not item
        )
        if item.state == "running" or (not item.unfinished and rival):
            await self._refused(lambda tx: self._queue.retry(tx, item.id))
        else:
            await self._database.write(lambda tx: self._queue.retry(tx, item.id))
            item.state, item.due, item.attempts, item.again = "queued", True, 0, False
        await self.settle()

    async def lease_runs_out(self, item: Item) -> None:
        await self._database.write(
            lambda tx: tx.execute(update(store.jobs).where(store.jobs.c.id == item.id).values(lease_until=1))
        )
        item.expired = True
        for process in self.processes:
            assert process.worker is not None
            process.worker.look()  # rather than at its next round
        await self.settle()

    async def begin_process(self) -> None:
        """A worker starts. One that is alone takes every lease for a dead one's, as Stagedoor does on SQLite."""
        alone = not self.processes
        process = Process(await open_database(self._url, read_connections=1))

        async def handle(job: Job) -> Effect | None:
            attempt = Attempt(job, process, asyncio.get_running_loop().create_future())
            process.busy.append(attempt)
            self._begun.append(attempt)
            try:
                return await attempt.verdict
            finally:
                process.busy.remove(attempt)

        kind = JobKind(
            KIND,
            handle,
            max_attempts=ATTEMPTS,
            backoff=lambda _: 0.0,
            concurrency=CONCURRENCY,
            group_concurrency=GROUP_LIMIT,
        )
        process.worker = Worker(process.database, self._queue, [kind], alone=alone, polls=True)
        process.task = asyncio.create_task(process.worker.run())
        self.processes.append(process)
        if alone:
            for item in self.items("running"):
                item.expired = True
        await self.settle()

    async def stop_process(self, process: Process) -> None:
        """It is asked to end, and puts back what it has."""
        mine = [item for item in self.items("running") if item.owner is not None and item.owner.process is process]
        await self._end_process(process)
        await process.database.close()
        for item in mine:
            item.state, item.owner, item.due = "queued", None, True
            item.attempts -= 1
        await self.settle()

    async def kill_process(self, process: Process) -> None:
        """It is gone between two of its statements: what it had, it has until the lease runs out."""
        await process.database.close()
        await self._end_process(process)
        await self.settle()

    async def finish(self) -> None:
        """Whatever the test left is done in the end."""
        if not self.processes:
            await self.begin_process()
        for _ in range(_ALL):
            for attempt in self.attempts():
                await self.end(attempt, "done")
            for item in self.items("running"):
                if item.owner is not None and item.owner not in item.owner.process.busy:
                    await self.lease_runs_out(item)  # of a process that was killed
            for item in self.items("queued"):
                if not item.due:
                    await self.retry(item)
            if not self.items(*UNFINISHED):
                break
        for process in list(self.processes):
            await self.stop_process(process)

    async def close(self) -> None:
        """End what a test that failed left."""
        for process in list(self.processes):
            await self._end_process(process)
            await process.database.close()

    # What must be so

    async def settle(self) -> None:
        """Return when nothing is left that a worker could do, having checked everything that it did."""
        if self.processes:
            for item in self.items("running"):
                if item.expired:
                    self._taken_over(item)
        try:
            async with asyncio.timeout(_SECONDS):
                while not await self._is_quiet():  # noqa: ASYNC110 - what it waits for is in the database
                    await asyncio.sleep(0.002)
        except TimeoutError:
            raise AssertionError(f"the workers leave something undone: {'; '.join(self._undone())}") from None

    async def _is_quiet(self) -> bool:
        begun, self._begun = self._begun, []  # before the jobs are read, so that all of their successors are among them
        rows = await self._database.read(_all_jobs)
        work = [row for row in rows if row.kind == KIND]
        for row in work:
            if row.id not in self._items:
                self._adopt(row)
        for attempt in begun:
            self._has_begun(attempt)
        if self._begun or any(self._undone(work)):
            return False
        self._is_true(work)
        effects = [(row.payload["of"], row.payload["attempt"]) for row in rows if row.kind == EFFECT]
        assert sorted(effects) == sorted(self._effects), "an effect counts once, and only its owner's"
        return True

    def _undone(self, rows: list[Job] | None = None) -> Iterator[str]:
        """What workers still have to do, before things are as the model has them."""
        for item in self.items("queued"):
            if item.due and self._is_first(item) and any(one.has_place_for(item.group) for one in self.processes):
                yield f"{item} is not begun"
        for successor in self._successors:
            yield f"{successor} was not asked for"
        for attempt in self.attempts():
            if self._items[attempt.job.id].state == "cancelled" or attempt.verdict.done():
                yield f"{attempt.job} goes on"
        for process in self.processes:
            if process.worker is not None and process.worker.running != len(process.busy):
                yield f"a worker thinks that it has {process.worker.running} jobs and has {len(process.busy)}"
        for row in rows or ():
            if row.state != self._items[row.id].state:
                yield f"{row} should be {self._items[row.id].state}"

    def _adopt(self, row: Job) -> None:
        """Take in a job that a job's end asked for."""
        due = row.run_at <= now_ms()
        successor = Successor(row.unique_key, row.lane, row.group_key, due)
        assert successor in self._successors, f"nobody asked for {row}"
        self._successors.remove(successor)
        self._items[row.id] = Item(row.id, row.seq, row.unique_key, row.lane, row.group_key, due)

    def _has_begun(self, attempt: Attempt) -> None:
        item = self._items[attempt.job.id]
        assert item.state == "queued", f"a job that is {item.state} was begun"
        assert item.due, "a job was begun before its time"
        assert self._is_first(item), "a job was begun before others of its lane"
        assert attempt.job.attempts == item.attempts + 1
        item.state, item.owner, item.attempts = "running", attempt, item.attempts + 1

    def _is_first(self, item: Item) -> bool:
        """Whether nothing else of its lane is running, or was asked for earlier."""
        return item.lane is None or not any(
            other.lane == item.lane and (other.state == "running" or (other.unfinished and other.seq < item.seq))
            for other in self._items.values()
            if other is not item
        )

    def _is_true(self, rows: list[Job]) -> None:
        assert {row.id for row in rows} == self._items.keys(), "a job was lost"
        for row in rows:
            item = self._items[row.id]
            assert (row.attempts, row.again, row.run_at <= now_ms()) == (item.attempts, item.again, item.due)
            assert row.owner == (item.owner.job.owner if item.owner is not None else None)
            assert (row.finished_at is None) == item.unfinished
        keys = Counter(row.unique_key for row in rows if row.unique_key is not None and row.state in UNFINISHED)
        lanes = Counter(row.lane for row in rows if row.lane is not None and row.state == "running")
        assert all(count == 1 for count in [*keys.values(), *lanes.values()])
        for process in self.processes:
            groups = Counter(attempt.job.group_key for attempt in process.busy if attempt.job.group_key is not None)
            assert len(process.busy) <= CONCURRENCY
            assert all(count <= GROUP_LIMIT for count in groups.values())

    # What the model makes of it

    def _ended(self, item: Item, verdict: Verdict) -> None:
        item.owner = None
        if verdict in {"done", "done with an effect"}:
            self._finished(item, "done")
        elif verdict == "give up":
            self._finished(item, "failed")
        elif item.attempts >= ATTEMPTS:
            self._finished(item, "dead")
        else:
            item.state, item.due = "queued", verdict != "retry later"

    def _taken_over(self, item: Item) -> None:
        item.owner, item.expired = None, False
        if item.attempts >= ATTEMPTS:
            self._finished(item, "dead")
        else:
            item.state, item.due = "queued", True

    def _finished(self, item: Item, state: JobState) -> None:
        item.state = state
        if item.again:
            self._successors.append(Successor(item.key, item.lane, item.group, item.due))

    async def _job(self, job_id: str) -> Job:
        found = await self._database.read(lambda tx: operator_store.job_by_id(tx, job_id))
        assert found is not None
        return found

    async def _refused(self, work: Callable[[Transaction], object]) -> None:
        try:
            await self._database.write(work)
        except Conflict:
            return
        raise AssertionError("it was not refused")

    async def _end_process(self, process: Process) -> None:
        assert process.task is not None
        self.processes.remove(process)
        process.task.cancel()
        await asyncio.gather(process.task, return_exceptions=True)


def _raised(verdict: Verdict) -> Exception:
    if verdict == "give up":
        return GiveUp("It cannot be done.")
    if verdict == "an exception":
        return RuntimeError("It is broken.")
    return Retry("Not yet.", after_seconds=0 if verdict == "retry now" else _HOUR_MS / 1000)


def _all_jobs(tx: Transaction) -> list[Job]:
    return operator_store.list_jobs(tx, state=None, kind=None, before=None, limit=_ALL)
