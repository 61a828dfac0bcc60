"""What `read` and `write` promise, on both engines."""

from __future__ import annotations

import asyncio
from typing import Any, Never

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from stagedoor.storage import Database, Transaction
from tests.storage.tables import Verb, add, another_client, kinds, names, note, wait_until_locked_out


class Refused(Exception):
    """A verb's own refusal."""


def refuse(tx: Transaction) -> Never:
    add(tx, "refused")
    raise Refused("no")


async def test_a_write_gives_what_the_work_returns_and_is_seen_by_the_next_read(database: Database) -> None:
    for number in range(50):
        assert await database.write(lambda tx, name=f"n{number}": (add(tx, name), name)[1]) == f"n{number}"
        assert len(await database.read(names)) == number + 1


async def test_an_exception_propagates_unchanged_and_undoes_the_work(database: Database) -> None:
    with pytest.raises(Refused, match=r"^no$"):
        await database.write(refuse)
    assert await database.read(names) == []


async def test_a_failing_work_undoes_nothing_of_those_it_is_committed_with(database: Database) -> None:
    works: list[Verb] = [refuse if number % 3 == 0 else lambda tx, n=number: add(tx, f"n{n}") for number in range(60)]
    outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
    assert kinds(outcomes) == ["Refused" if number % 3 == 0 else "NoneType" for number in range(60)]
    assert sorted(await database.read(names)) == sorted(f"n{number}" for number in range(60) if number % 3)


async def test_a_constraint_is_the_callers_to_handle(database: Database) -> None:
    await database.write(lambda tx: add(tx, "a"))
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: add(tx, "a"))
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: add(tx, "b", size=-1))
    assert await database.read(names) == ["a"]


async def test_a_foreign_key_that_is_checked_at_the_commit_refuses_only_its_own_work(
    database: Database,
) -> None:
    def dangling(tx: Transaction) -> None:
        tx.execute(text("INSERT INTO remark (note, text) VALUES ('nobody', 'x')"))

    def late(tx: Transaction) -> None:
        tx.execute(text("INSERT INTO remark (note, text) VALUES ('late', 'x')"))
        add(tx, "late")

    works: list[Verb] = [lambda tx: add(tx, "a"), dangling, late, lambda tx: add(tx, "b")]
    outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)
    assert kinds(outcomes) == ["NoneType", "IntegrityError", "NoneType", "NoneType"]
    assert sorted(await database.read(names)) == ["a", "b", "late"]


async def test_a_savepoint_undoes_its_own_part_only(database: Database) -> None:
    def work(tx: Transaction) -> str:
        add(tx, "kept")
        with pytest.raises(IntegrityError), tx.savepoint():  # noqa: PT012 - what is before the error is the point
            add(tx, "undone")
            add(tx, "kept")
        with tx.savepoint(), tx.savepoint():
            add(tx, "deep")
        return "done"

    assert await database.write(work) == "done"
    assert await database.read(names) == ["kept", "deep"]


async def test_a_swallowed_error_outside_a_savepoint_is_not_taken_for_success(database: Database) -> None:
    def work(tx: Transaction) -> None:
        add(tx, "a")
        with pytest.raises(IntegrityError):
            add(tx, "a")

    with pytest.raises(RuntimeError, match="savepoint"):
        await database.write(work)
    assert await database.read(names) == []
    await database.write(lambda tx: add(tx, "b"))
    assert await database.read(names) == ["b"]


@pytest.mark.parametrize("verb", ["commit", "rollback"])
async def test_a_work_cannot_end_the_transaction_it_was_given(database: Database, verb: str) -> None:
    def work(tx: Transaction) -> None:
        add(tx, "a")
        getattr(tx.connection, verb)()
        add(tx, "b")

    with pytest.raises(RuntimeError, match="does not commit or roll back"):
        await database.write(work)
    assert await database.read(names) == []
    with pytest.raises(RuntimeError, match="does not commit or roll back"):
        await database.read(lambda tx: getattr(tx.connection, verb)() or names(tx))
    await asyncio.gather(*[database.write(lambda tx, name=name: add(tx, name)) for name in "abc"])
    assert sorted(await database.read(names)) == ["a", "b", "c"]


async def test_a_savepoint_begun_and_forgotten_does_not_block_others(database: Database) -> None:
    def forgetful(tx: Transaction) -> None:
        add(tx, "before")
        tx.connection.begin_nested()
        add(tx, "forgotten")

    await asyncio.gather(database.write(forgetful), database.write(lambda tx: add(tx, "next")))
    assert sorted(await database.read(names)) == ["before", "next"]


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):
        await database.read(lambda tx: add(tx, "a"))
    assert await database.read(names) == []


async def test_a_read_sees_one_snapshot(database: Database, url: str) -> None:
    loop = asyncio.get_running_loop()

    def look_twice(tx: Transaction) -> tuple[int, int]:
        count = select(func.count()).select_from(note)
        first = tx.execute(count).scalar_one()
        if tx.dialect == "sqlite":
            asyncio.run_coroutine_threadsafe(database.write(lambda other: add(other, "b")), loop).result(30)
        else:
            tx.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")  # until the other has written
        return first, tx.execute(count).scalar_one()

    await database.write(lambda tx: add(tx, "a"))
    if database.dialect == "sqlite":
        assert await database.read(look_twice) == (1, 1)
    else:
        async with another_client(url) as other:
            await other.execute("SELECT pg_advisory_lock(1)")
            reading = asyncio.ensure_future(database.read(look_twice))
            await wait_until_locked_out(other)
            await database.write(lambda tx: add(tx, "b"))
            await other.execute("SELECT pg_advisory_unlock(1)")
            assert await reading == (1, 1)
    assert await database.read(names) == ["a", "b"]


@pytest.mark.parametrize(
    "value", [None, {}, [], {"deep": [{"ünï": "\u0000"[:0] + "☃", "n": 1.5, "big": 2**53}]}, "text", 7, True]
)
async def test_json_comes_back_as_it_went_in(database: Database, value: Any) -> None:
    await database.write(lambda tx: add(tx, "a", document=value, size=2**62, raw=b"\x00\xff"))
    row = await database.read(lambda tx: tx.execute(select(note.c.document, note.c.size, note.c.raw)).one())
    assert tuple(row) == (value, 2**62, b"\x00\xff")


async def test_rows_are_numbered_by_the_database(database: Database) -> None:
    def work(tx: Transaction) -> list[Any]:
        return [
            tx.execute(note.insert().values(name="a")).inserted_primary_key,
            tx.execute(note.insert().values(name="b").returning(note.c.id)).scalar_one(),
        ]

    assert await database.write(work) == [(1,), 2]
