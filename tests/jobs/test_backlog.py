"""What it takes to claim does not grow with what has been done, nor with how many wait behind others in their lanes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stagedoor.jobs import claim_store, store
from stagedoor.jobs.nouns import NewJob
from stagedoor.jobs.shares import Shares
from stagedoor.kernel.ids import new_id
from stagedoor.storage import Database, Transaction, migrate, open_database

LANES = 40


async def database_of(folder: Path, waiting_in_a_lane: int, done: int) -> Database:
    """One with jobs that wait in lanes, and some that are done."""
    url = f"sqlite:///{folder / f'{waiting_in_a_lane}-{done}.db'}"
    await migrate(url)
    database = await open_database(url)

    def fill(tx: Transaction) -> None:
        for number in range(done):
            store.insert_job(tx, new_id("job"), NewJob("deliver", group_key="a"), number)
        tx.execute(store.jobs.update().values(state="done", finished_at=1))
        for number in range(waiting_in_a_lane * LANES):
            store.insert_job(tx, new_id("job"), NewJob("deliver", lane=f"lane {number % LANES}", group_key="b"), number)

    await database.write(fill)
    return database


async def steps(database: Database, work: Callable[[Transaction], Any]) -> int:
    """How many thousands of instructions SQLite's machine needs for it."""
    count = 0

    def counted() -> bool:
        nonlocal count
        count += 1
        return False

    def measured(tx: Transaction) -> None:
        driver: Any = tx._sqlite  # pyright: ignore[reportPrivateUsage]
        driver.apsw.set_progress_handler(counted, 1_000)
        try:
            work(tx)
        finally:
            driver.apsw.set_progress_handler(None)

    await database.write(measured)
    return count


def claim(tx: Transaction) -> None:
    taken = claim_store.claim(
        tx, "deliver", claimer="me", now=10**9, until=2 * 10**9, limit=8, shares=Shares(16, 8, {})
    )
    assert len({job.lane for job in taken}) == 8


async def test_a_claim_in_a_long_backlog(tmp_path: Path) -> None:
    short = await database_of(tmp_path, 5, 0)
    long = await database_of(tmp_path, 100, 4_000)
    try:
        # Each of the first jobs of lanes that it looks at is found by an index; the rest is not looked at.
        assert await steps(long, claim) <= 2 * await steps(short, claim) + 5
    finally:
        await short.close()
        await long.close()


def claim_of_another_tenant(tx: Transaction) -> None:
    (taken,) = claim_store.claim(
        tx, "deliver", claimer="me", now=10**9, until=2 * 10**9, limit=8, shares=Shares(16, 8, {"one/1": 8})
    )
    assert taken.group_key == "two/1"


async def test_a_group_with_thousands_of_jobs_hides_no_other_and_costs_nothing(tmp_path: Path) -> None:
    async def database(waiting: int) -> Database:
        url = f"sqlite:///{tmp_path / f'groups-{waiting}.db'}"
        await migrate(url)
        database = await open_database(url)

        def fill(tx: Transaction) -> None:
            for number in range(waiting):
                store.insert_job(tx, new_id("job"), NewJob("deliver", group_key="one/1"), number)
            store.insert_job(tx, new_id("job"), NewJob("deliver", group_key="two/1"), waiting)

        await database.write(fill)
        return database

    short, long = await database(50), await database(5_000)
    try:
        assert await steps(long, claim_of_another_tenant) <= 2 * await steps(short, claim_of_another_tenant) + 5
    finally:
        await short.close()
        await long.close()
