"""The clock is set back: what recurs is at most one period late, and no other job waits for the old time."""

from __future__ import annotations

import pytest

from stagedoor.jobs import claim_store, lease_store, operator_store
from stagedoor.jobs.nouns import RECURRING, Job, JobKind, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.worker import Worker
from stagedoor.kernel.clock_watch import Jump
from stagedoor.storage import Database, Transaction
from tests.support.clocks import DAY_MS, Clocks

HOUR_MS = 3_600_000


async def nothing(_: Job) -> None:
    return None


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    clocks.use(monkeypatch, "stagedoor.jobs.worker", "stagedoor.jobs.queue")
    return clocks


async def run_ats(database: Database) -> dict[str, int]:
    def look(tx: Transaction) -> dict[str, int]:
        return {
            job.kind: job.run_at for job in operator_store.list_jobs(tx, state=None, kind=None, before=None, limit=100)
        }

    return await database.read(look)


async def test_what_recurs_is_at_most_one_period_late(database: Database, clocks: Clocks) -> None:
    queue = Queue()
    worker = Worker(
        database, queue, [JobKind("sweep", nothing, every_seconds=HOUR_MS / 1000), JobKind("send", nothing)]
    )

    def plan(tx: Transaction) -> None:
        queue.put(tx, NewJob("sweep", unique_key=RECURRING, run_at=clocks.wall + HOUR_MS))
        queue.put(tx, NewJob("send", run_at=clocks.wall + 60_000))

    await database.write(plan)
    before = clocks.wall
    clocks.set_forward(-21 * DAY_MS)
    await worker.clock_jumped(Jump(before, clocks.wall, 0))
    planned = await run_ats(database)
    assert planned["sweep"] <= clocks.wall + HOUR_MS
    if database.sole_writer:
        assert planned["send"] == clocks.wall + 60_000, "it waits as long as it was to wait"


async def test_a_lease_lasts_as_long_as_it_was_to_last(database: Database, clocks: Clocks) -> None:
    if not database.sole_writer:
        return  # the leases of others are by their clocks
    queue = Queue()
    worker = Worker(database, queue, [JobKind("send", nothing)])
    await database.write(lambda tx: queue.put(tx, NewJob("send")))
    until = clocks.wall + 30_000

    def claim(tx: Transaction) -> None:
        claim_store.claim(tx, "send", claimer="dead", now=clocks.wall, until=until, limit=1)

    await database.write(claim)
    before = clocks.wall
    clocks.set_forward(-21 * DAY_MS)
    await worker.clock_jumped(Jump(before, clocks.wall, 0))
    assert await database.read(lambda tx: len(lease_store.expired(tx, clocks.wall + 30_001, 10))) == 1
