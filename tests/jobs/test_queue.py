"""Jobs are done once, in the order that was asked for, whichever worker dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stagedoor.jobs import claim_store, lease_store, operator_store, settle
from stagedoor.jobs.nouns import Effect, GiveUp, Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction


@asynccontextmanager
async def working(database: Database, queue: Queue, kinds: Iterable[JobKind]) -> AsyncGenerator[Worker]:
    worker = Worker(database, queue, kinds)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what it waits for is in other hands
            await asyncio.sleep(0.01)


async def state_of(database: Database, job_id: str) -> Job:
    job = await database.read(lambda tx: operator_store.job_by_id(tx, job_id))
    assert job is not None
    return job


async def until_state(database: Database, job_id: str, state: str) -> Job:
    async with asyncio.timeout(20):
        while (job := await state_of(database, job_id)).state != state:  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.01)
    return job


async def test_a_job_is_done_with_its_effect(database: Database) -> None:
    queue = Queue()

    async def handler(job: Job) -> Effect:
        return lambda tx: void(queue.put(tx, NewJob("after", {"of": job.id})))

    async def after(_: Job) -> None:
        return None

    async with working(database, queue, [JobKind("first", handler), JobKind("after", after)]):
        job_id = await database.write(lambda tx: queue.put(tx, NewJob("first", {"x": 1})))
        await until_state(database, job_id, "done")
        (second,) = await database.read(
            lambda tx: operator_store.list_jobs(tx, state=None, kind="after", before=None, limit=5)
        )
        assert second.payload == {"of": job_id}
        await until_state(database, second.id, "done")


async def test_what_was_done_is_not_done_again_because_the_database_was_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the lease, too: another worker may take the job then, but this one lives and has its result."""
    queue = Queue()
    done: list[str] = []
    away = asyncio.Event()
    real = database.write
    refused = 0

    async def write(_: Database, callback: Callable[[Transaction], Any], **options: Any) -> Any:
        nonlocal refused
        if away.is_set():
            refused += 1
            raise StorageUnavailable("The database is away.")
        return await real(callback, **options)

    async def handler(job: Job) -> Effect:
        done.append(job.id)
        away.set()
        return lambda tx: void(queue.put(tx, NewJob("after")))

    monkeypatch.setattr(type(database), "write", write)
    monkeypatch.setattr(settle, "_STORE_AGAIN_SECONDS", 0.01)
    worker = Worker(database, queue, [JobKind("first", handler)], lease_seconds=0.2)
    task = asyncio.create_task(worker.run())
    try:
        job_id = await real(lambda tx: queue.put(tx, NewJob("first")))
        await until(lambda: refused > 50)
        await database.read(lambda tx: operator_store.job_by_id(tx, job_id))
        away.clear()
        await until_state(database, job_id, "done")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert done == [job_id]
    after = await database.read(lambda tx: operator_store.list_jobs(tx, state=None, kind="after", before=None, limit=5))
    assert len(after) == 1


async def test_it_is_tried_again_and_ends_dead_or_failed(database: Database) -> None:
    queue = Queue()
    seen: list[int] = []

    async def broken(job: Job) -> None:
        seen.append(job.attempts)
        raise RuntimeError("no")

    async def hopeless(_: Job) -> None:
        raise GiveUp("There is no such thing.")

    async def later(job: Job) -> None:
        if job.attempts < 2:
            raise Retry("Not yet.", after_seconds=0)

    kinds = [
        JobKind("broken", broken, max_attempts=3, backoff=lambda _: 0.0),
        JobKind("hopeless", hopeless),
        JobKind("later", later),
    ]
    async with working(database, queue, kinds):
        ids = [await database.write(lambda tx, k=k: queue.put(tx, NewJob(k.name))) for k in kinds]
        dead = await until_state(database, ids[0], "dead")
        assert (dead.attempts, seen, dead.error) == (3, [1, 2, 3], "RuntimeError: no")
        assert (await until_state(database, ids[1], "failed")).error == "There is no such thing."
        assert (await until_state(database, ids[2], "done")).attempts == 2


async def test_a_key_is_unique_and_what_is_asked_while_it_runs_is_done_afterwards(database: Database) -> None:
    queue = Queue()
    go = asyncio.Event()
    runs: list[str] = []

    async def handler(job: Job) -> None:
        runs.append(job.id)
        await go.wait()

    first = await database.write(lambda tx: queue.put(tx, NewJob("k", unique_key="a")))
    assert first == await database.write(lambda tx: queue.put(tx, NewJob("k", unique_key="a")))
    async with working(database, queue, [JobKind("k", handler)]):
        await until(lambda: len(runs) == 1)
        assert first == await database.write(lambda tx: queue.put(tx, NewJob("k", unique_key="a")))
        go.set()
        await until(lambda: len(runs) == 2)
        await until_state(database, runs[1], "done")
    assert runs[0] == first != runs[1]


async def test_a_lane_is_in_order_and_a_group_is_bounded(database: Database) -> None:
    queue = Queue()
    order: list[int] = []
    now: dict[str, int] = {}
    most: dict[str, int] = {}

    async def handler(job: Job) -> None:
        group = job.group_key or ""
        now[group] = now.get(group, 0) + 1
        most[group] = max(most.get(group, 0), now[group])
        await asyncio.sleep(0.01)
        now[group] -= 1
        if job.lane:
            order.append(job.payload["n"])
            if job.payload["n"] == 1 and job.attempts == 1:
                order.pop()
                raise Retry("Once more.", after_seconds=0.1)

    async with working(database, queue, [JobKind("k", handler, group_concurrency=2)]):
        for n in range(4):
            await database.write(lambda tx, n=n: queue.put(tx, NewJob("k", {"n": n}, lane="one", group_key="l")))
        ids = await database.write(lambda tx: [queue.put(tx, NewJob("k", group_key="g")) for _ in range(12)])
        for job_id in ids:
            await until_state(database, job_id, "done")
        await until(lambda: len(order) == 4)
    assert order == [0, 1, 2, 3]
    assert most["g"] == 2
    assert most["l"] == 1


async def test_a_job_whose_worker_died_is_another_workers(database: Database) -> None:
    queue = Queue()
    done: list[str] = []

    async def handler(job: Job) -> None:
        done.append(job.id)

    job_id = await database.write(lambda tx: queue.put(tx, NewJob("k")))
    (taken,) = await database.write(lambda tx: claim_store.claim(tx, "k", claimer="dead", now=2**60, until=1, limit=1))
    async with working(database, queue, [JobKind("k", handler)]):
        job = await until_state(database, job_id, "done")
    assert (done, job.attempts) == ([job_id], 2)
    late = await database.write(lambda tx: lease_store.leave(tx, taken, "failed", now=1, attempts=1, error="late"))
    assert late is None
    assert (await state_of(database, job_id)).state == "done"


async def test_what_comes_again_and_again_does(database: Database) -> None:
    queue = Queue()
    runs: list[str] = []

    async def handler(job: Job) -> None:
        runs.append(job.id)
        if len(runs) == 2:
            raise GiveUp("Not this time.")

    kinds = [JobKind("k", handler, every_seconds=0.01)]
    async with working(database, queue, kinds), working(database, queue, kinds):
        await until(lambda: len(runs) >= 4)
    assert len(set(runs)) == len(runs)
    unfinished = await database.read(lambda tx: operator_store.depths(tx))
    assert unfinished == {("k", "queued"): 1, ("k", "failed"): 1}


async def test_cancelled_it_is_broken_off(database: Database) -> None:
    queue = Queue()
    begun = asyncio.Event()

    async def handler(_: Job) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async with working(database, queue, [JobKind("k", handler)]) as worker:
        job_id = await database.write(lambda tx: queue.put(tx, NewJob("k")))
        await begun.wait()
        await database.write(lambda tx: queue.cancel(tx, job_id))
        await until(lambda: worker.running == 0)
        assert (await state_of(database, job_id)).state == "cancelled"


async def test_stopping_puts_back_what_runs_without_counting_it(database: Database) -> None:
    queue = Queue()
    begun = asyncio.Event()

    async def handler(_: Job) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async with working(database, queue, [JobKind("k", handler)]):
        job_id = await database.write(lambda tx: queue.put(tx, NewJob("k")))
        await begun.wait()
    job = await state_of(database, job_id)
    assert (job.state, job.attempts, job.owner) == ("queued", 0, None)


def void(_: object) -> None:
    """Nothing."""


async def test_a_node_takes_up_its_own_jobs_at_once_when_it_comes_back(database: Database) -> None:
    """And leaves alone those of another node that works on the same database."""
    queue = Queue()

    def claimed(tx: Transaction, node: str) -> str:
        """A job that a process of the node had when it was killed."""
        job_id = queue.put(tx, NewJob("long"))
        now = now_ms()
        claimer, until = f"{node}.wrk_dead:1", now + 600_000
        (job,) = claim_store.claim(tx, "long", claimer=claimer, now=now, until=until, limit=1)
        assert job.id == job_id
        return job_id

    mine = await database.write(lambda tx: claimed(tx, "here"))
    others = await database.write(lambda tx: claimed(tx, "there"))

    async def does(_: Job) -> None:
        return None

    worker = Worker(database, queue, [JobKind("long", does)], alone=False, node="here")
    task = asyncio.create_task(worker.run())
    try:
        await until_state(database, mine, "done")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await state_of(database, others)).state == "running"
