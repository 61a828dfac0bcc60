"""How SQLite's writer groups what it is given, and what it does when the transaction is lost."""

from __future__ import annotations

import asyncio
import threading
from time import sleep
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction
from tests.storage.tables import Verb, add, kinds, names, note


async def test_what_waits_is_committed_together(sqlite: Database) -> None:
    before = sqlite.counters.commits
    await asyncio.gather(*[sqlite.write(lambda tx, n=n: add(tx, f"n{n}")) for n in range(400)])
    assert sqlite.counters.commits - before <= 5
    assert sqlite.counters.works >= 400
    assert len(await sqlite.read(names)) == 400


async def test_no_caller_is_answered_before_the_commit(sqlite: Database) -> None:
    held = threading.Event()
    first = asyncio.ensure_future(sqlite.write(lambda tx: add(tx, "first")))
    tasks: list[asyncio.Future[Any]] = [first, asyncio.ensure_future(sqlite.write(lambda _tx: held.wait(10)))]
    await asyncio.sleep(0.1)
    if first.done():  # the writer was quick enough to take it alone
        first = asyncio.ensure_future(sqlite.write(lambda tx: add(tx, "second")))
        tasks.append(first)
        await asyncio.sleep(0.1)
    assert not first.done()
    held.set()
    await asyncio.gather(*tasks)


async def test_works_run_in_the_order_of_their_calls(sqlite: Database) -> None:
    bulk = sqlite.bulk(note, "name", columns=["name"])
    calls = [
        bulk.insert((f"{n:04}",)) if n % 3 else sqlite.write(lambda tx, n=n: add(tx, f"{n:04}")) for n in range(2_000)
    ]
    await asyncio.gather(*calls)
    assert await sqlite.read(names) == [f"{n:04}" for n in range(2_000)]


async def test_slow_works_do_not_make_a_batch_wait_for_all_of_them(sqlite: Database) -> None:
    before = sqlite.counters.commits
    await asyncio.gather(*[sqlite.write(lambda _tx: sleep(0.03)) for _ in range(20)])
    # Each is answered at its commit; one batch of all 20 would have one commit, after 0.6 s.
    assert sqlite.counters.commits - before >= 3


async def test_a_callback_that_ends_the_transaction_does_not_break_later_ones(sqlite: Database) -> None:
    def villain(tx: Transaction) -> None:
        tx.connection.exec_driver_sql("ROLLBACK")

    works: list[Verb] = [lambda tx: add(tx, "a"), villain, lambda tx: add(tx, "b")]
    outcomes = await asyncio.gather(*map(sqlite.write, works), return_exceptions=True)
    assert "StorageUnavailable" in kinds(outcomes)
    stored = await sqlite.read(names)
    assert stored == [name for name, outcome in zip("ab", outcomes[::2], strict=True) if outcome is None]
    await sqlite.write(lambda tx: add(tx, "c"))
    assert (await sqlite.read(names))[-1] == "c"


async def test_a_work_may_raise_what_a_future_does_not_take(sqlite: Database) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await sqlite.write(lambda _tx: next(iter(())))
    with pytest.raises(SystemExit):
        await sqlite.write(lambda _tx: exit(3))
    await sqlite.write(lambda tx: add(tx, "a"))


async def test_a_statement_that_finds_the_file_full_undoes_its_work_only(sqlite: Database) -> None:
    def fill(tx: Transaction) -> None:
        pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
        add(tx, "before")
        add(tx, "big", raw=b"x" * 100_000)

    def widen(tx: Transaction) -> None:
        tx.connection.exec_driver_sql("PRAGMA max_page_count=1000000")

    works: list[Verb] = [lambda tx: add(tx, "a"), fill, lambda tx: add(tx, "b"), widen, lambda tx: add(tx, "big")]
    outcomes = await asyncio.gather(*map(sqlite.write, works), return_exceptions=True)
    assert isinstance(outcomes[1], StorageUnavailable)
    assert "full" in str(outcomes[1])
    # SQLite may give the whole transaction up; then each caller in it gets the error.
    stored = set(await sqlite.read(names))
    for name, outcome in zip(["a", "b", "big"], [outcomes[0], outcomes[2], outcomes[4]], strict=True):
        assert (name in stored) == (outcome is None)
    assert "before" not in stored
    await sqlite.write(lambda tx: add(tx, "after", raw=b"x" * 100_000))


async def test_an_error_of_a_row_is_not_an_error_of_the_batch(sqlite: Database) -> None:
    bulk = sqlite.bulk(note, "name", columns=["name", "size"])
    with pytest.raises(IntegrityError):
        await bulk.insert(("alone", -1))
    assert sqlite.counters.failures == 0
