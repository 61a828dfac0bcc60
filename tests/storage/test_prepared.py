"""A prepared statement does what the same statement does through SQLAlchemy, errors included."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from sqlalchemy import Boolean, Column, MetaData, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from stagedoor.storage import Database, Prepared, Transaction
from tests.storage.tables import add, kinds, names, note

_INSERT: Final = Prepared(
    insert(note).values(name=bindparam("name"), size=bindparam("size"), raw=bindparam("raw")).returning(note.c.id)
)
_GROW: Final = Prepared(update(note).where(note.c.name == bindparam("key")).values(size=note.c.size + bindparam("by")))
_SIZE: Final = Prepared(select(note.c.name, note.c.size, note.c.raw).where(note.c.name == bindparam("name")))


def put(tx: Transaction, name: str, size: int | None = 1) -> int:
    ((number,),) = tx.rows(_INSERT, {"name": name, "size": size, "raw": b"\x00\xff"})
    return int(number)


async def test_rows_go_in_and_come_out(database: Database) -> None:
    first = await database.write(lambda tx: put(tx, "a"))
    second = await database.write(lambda tx: put(tx, "b", None))
    assert second > first
    await database.write(lambda tx: tx.run(_GROW, {"key": "a", "by": 4}))
    assert await database.read(lambda tx: list(map(tuple, tx.rows(_SIZE, {"name": "a"})))) == [("a", 5, b"\x00\xff")]
    assert await database.read(lambda tx: tx.rows(_SIZE, {"name": "nobody"})) == []


async def test_it_is_part_of_the_transaction_that_it_is_run_in(database: Database) -> None:
    def work(tx: Transaction) -> None:
        put(tx, "undone")
        raise LookupError

    outcomes = await asyncio.gather(
        database.write(work), database.write(lambda tx: put(tx, "kept")), return_exceptions=True
    )
    assert kinds(outcomes) == ["LookupError", "int"]
    assert await database.read(names) == ["kept"]


async def test_a_constraint_is_the_callers_to_handle_inside_a_savepoint(database: Database) -> None:
    def work(tx: Transaction) -> None:
        put(tx, "a")
        with pytest.raises(IntegrityError), tx.savepoint():
            put(tx, "a")
        add(tx, "b")

    await database.write(work)
    assert await database.read(names) == ["a", "b"]
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: put(tx, "a"))


async def test_a_work_can_not_go_on_after_an_error_that_it_swallowed(database: Database) -> None:
    def work(tx: Transaction) -> None:
        put(tx, "a")
        with pytest.raises(IntegrityError):
            put(tx, "a")

    with pytest.raises(RuntimeError, match="savepoint"):
        await database.write(work)
    assert await database.read(names) == []


def test_a_value_that_must_be_converted_is_refused_when_it_is_written() -> None:
    switches = Table("switches", MetaData(), Column("on", Boolean))
    with pytest.raises(TypeError):
        Prepared(update(note).values(document=bindparam("document")))
    with pytest.raises(TypeError):
        Prepared(insert(switches).values(on=bindparam("on")))
