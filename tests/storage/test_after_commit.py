"""Callbacks run after the commit, on the event loop, and never for what was undone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from stagedoor.storage import Database, Transaction
from tests.storage.tables import add, names


async def test_callbacks_run_on_the_loop_in_order_before_the_caller_resumes(database: Database) -> None:
    heard: list[Any] = []

    def work(tx: Transaction) -> None:
        tx.after_commit(lambda: heard.append(threading.current_thread()))
        add(tx, "a")
        tx.after_commit(lambda: heard.append(asyncio.get_running_loop()))

    await database.write(work)
    assert heard == [threading.current_thread(), asyncio.get_running_loop()]


async def test_what_a_callback_announces_can_be_read(database: Database) -> None:
    seen: list[asyncio.Task[list[str]]] = []

    def work(tx: Transaction) -> None:
        add(tx, "a")
        tx.after_commit(lambda: seen.append(asyncio.ensure_future(database.read(names))))

    await database.write(work)
    assert await seen[0] == ["a"]


async def test_a_rollback_drops_them(database: Database) -> None:
    heard: list[str] = []

    def work(tx: Transaction) -> None:
        tx.after_commit(lambda: heard.append("never"))
        raise ValueError

    with pytest.raises(ValueError):
        await database.write(work)
    outcomes = await asyncio.gather(*[database.write(work) for _ in range(5)], return_exceptions=True)
    assert len(outcomes) == 5
    assert heard == []


async def test_a_savepoint_that_is_undone_drops_its_own(database: Database) -> None:
    heard: list[str] = []

    def work(tx: Transaction) -> None:
        tx.after_commit(lambda: heard.append("before"))
        with tx.savepoint():
            tx.after_commit(lambda: heard.append("inside"))
        with pytest.raises(ValueError), tx.savepoint():  # noqa: PT012 - what is before the error is the point
            tx.after_commit(lambda: heard.append("never"))
            with tx.savepoint():
                tx.after_commit(lambda: heard.append("never"))
            raise ValueError
        tx.after_commit(lambda: heard.append("after"))

    await database.write(work)
    assert heard == ["before", "inside", "after"]


async def test_one_that_raises_keeps_no_other_from_running(database: Database) -> None:
    heard: list[str] = []
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

    def trip() -> None:
        raise ZeroDivisionError

    def work(tx: Transaction) -> str:
        tx.after_commit(trip)
        tx.after_commit(lambda: heard.append("second"))
        return "stored"

    assert await database.write(work) == "stored"
    asyncio.get_running_loop().set_exception_handler(None)
    assert heard == ["second"]
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
