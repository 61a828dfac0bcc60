"""The bulk lane: new or not, for whom, and in which order, on both engines."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import ARRAY, Column, ForeignKey, Index, Integer, MetaData, String, Table, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from stagedoor.storage import BulkInsert, Database
from tests.storage.tables import add, kinds, names, note


def lane(database: Database) -> BulkInsert:
    return database.bulk(note, "name", columns=["name", "size"])


async def test_a_row_is_new_once(database: Database) -> None:
    bulk = lane(database)
    assert await bulk.insert(("a", 1)) is True
    assert await bulk.insert(("a", 2)) is False
    assert await bulk.insert({"size": 3, "name": "b"}) is True
    rows = await database.read(lambda tx: tx.execute(select(note.c.name, note.c.size).order_by(note.c.id)).all())
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 3)]


async def test_of_the_same_key_in_one_batch_the_first_is_new(database: Database) -> None:
    bulk = lane(database)
    await database.write(lambda tx: add(tx, "n3"))
    outcomes = await asyncio.gather(*[bulk.insert((f"n{number % 7}", number)) for number in range(70)])
    assert outcomes == [number < 7 and number != 3 for number in range(70)]
    assert database.counters.rows == 70
    rows = await database.read(lambda tx: tx.execute(select(note.c.name, note.c.size)).all())
    assert sorted((row.name, row.size) for row in rows if row.name != "n3") == [
        (f"n{number}", number) for number in range(7) if number != 3
    ]


async def test_many_rows_share_a_commit(database: Database) -> None:
    bulk = lane(database)
    before = database.counters.commits
    assert all(await asyncio.gather(*[bulk.insert((f"n{number}", number)) for number in range(1_000)]))
    assert database.counters.commits - before <= 10
    assert len(await database.read(names)) == 1_000


async def test_a_callback_is_answered_as_a_caller_is(database: Database) -> None:
    bulk = lane(database)
    answered: dict[str, Any] = {}
    done = asyncio.Event()

    def answer(name: str, outcome: bool | BaseException) -> None:
        answered[name] = outcome
        if len(answered) == 4:
            done.set()
        if name == "raises":
            raise KeyError("what a callback raises keeps no other from its answer")

    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    for name, row in {"raises": ("a", 1), "again": ("a", 2), "null": (None, 3), "new": ("b", 4)}.items():
        bulk.insert_then(row, partial(answer, name))
    await asyncio.wait_for(done.wait(), 20)
    loop.set_exception_handler(None)
    assert (answered["raises"], answered["again"], answered["new"]) == (True, False, True)
    assert isinstance(answered["null"], DBAPIError)
    assert [type(context["exception"]) for context in reported] == [KeyError]
    assert sorted(await database.read(names)) == ["a", "b"]  # rows of two keys may be stored in either order
    with pytest.raises(ValueError, match="columns"):
        bulk.insert_then(("c",), partial(answer, "never"))


async def test_rows_of_many_callers_over_a_while(database: Database) -> None:
    bulk = lane(database)

    async def caller(number: int) -> list[bool]:
        return [await bulk.insert((f"n{number * 50 + step}", step)) for step in range(60)]

    outcomes = await asyncio.gather(*[caller(number) for number in range(20)])
    # Each caller's last ten are the next caller's first ten, and only one of the two can have been first.
    assert sum(map(sum, outcomes)) == 20 * 50 + 10 == len(await database.read(names))


@pytest.mark.parametrize(
    "row", [("x", -1), (None, 1), ("x" * 41, 1), ("x", "many"), ("x", 2**70), ("x", object()), ("\ud800", 1)]
)
async def test_a_row_that_can_never_be_stored_harms_no_other(database: Database, row: tuple[Any, Any]) -> None:
    bulk = lane(database)
    rows: list[tuple[Any, Any]] = [("a", 1), row, ("b", 2), ("a", 3), ("c", 4)]
    outcomes = await asyncio.gather(*[bulk.insert(values) for values in rows], return_exceptions=True)
    if database.dialect == "sqlite" and row in [("x" * 41, 1), ("x", "many")]:
        assert outcomes[1] is True  # SQLite keeps what it is given
    else:
        assert isinstance(outcomes[1], DBAPIError)
    assert [*outcomes[:1], *outcomes[2:]] == [True, True, False, True]
    assert {"a", "b", "c"} <= set(await database.read(names))


async def test_a_constraint_is_an_integrity_error(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await lane(database).insert(("x", -1))
    outcomes = await asyncio.gather(*[lane(database).insert((None, 1)) for _ in range(3)], return_exceptions=True)
    assert kinds(outcomes) == ["IntegrityError"] * 3


@pytest.mark.parametrize("row", [(), ("a",), ("a", 1, 2), {"name": "a"}, {"name": "a", "size": 1, "more": 2}])
async def test_a_row_has_the_lanes_columns(database: Database, row: Any) -> None:
    with pytest.raises(ValueError, match="row"):
        await lane(database).insert(row)


async def test_the_columns_types_hold_for_the_lane(database: Database) -> None:
    document = {"ü": [1, None, {"b": "☃"}]}
    bulk = database.bulk(note, "name")
    assert await bulk.insert(("a", 2**62, document, b"\x00\xff"))
    assert await bulk.insert({"name": "b", "size": None, "document": None, "raw": None})
    rows = await database.read(lambda tx: tx.execute(select(note).order_by(note.c.id)).all())
    assert [tuple(row)[1:] for row in rows] == [("a", 2**62, document, b"\x00\xff"), ("b", None, None, None)]
    assert await database.read(lambda tx: tx.execute(note.select().where(note.c.document.is_(None))).one().name) == "b"


async def test_rows_of_one_kind_are_numbered_in_their_order(database: Database) -> None:
    bulk = database.bulk(note, "name", columns=["name", "size"], in_order_of="size")
    await asyncio.gather(*[bulk.insert((f"{number:05}", number % 5)) for number in range(3_000)])
    rows = await database.read(lambda tx: tx.execute(select(note.c.name, note.c.size).order_by(note.c.id)).all())
    for kind in range(5):
        stored = [row.name for row in rows if row.size == kind]
        assert stored == sorted(stored)
    assert len(rows) == 3_000


async def test_callbacks_and_rows_do_not_wait_for_other_clients(database: Database) -> None:
    bulk = lane(database)

    def trip(number: int) -> None:
        raise KeyError(number)

    calls = [
        bulk.insert((f"row{number}", 1)) if number % 2 else database.write(lambda _tx, n=number: trip(n))
        for number in range(100)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[1::2] == [True] * 50
    assert kinds(outcomes[::2]) == ["KeyError"] * 50


async def test_two_lanes_into_one_table(database: Database) -> None:
    lanes = [lane(database) for _ in range(3)]
    outcomes = await asyncio.gather(*[each.insert((f"n{n}", n)) for n in range(300) for each in lanes])
    assert sum(outcomes) == 300 == len(await database.read(names))


async def test_a_lane_needs_a_key_that_is_unique_by_itself(database: Database) -> None:
    tables = MetaData()
    parent = Table("parent", tables, Column("id", Integer, primary_key=True))
    pair = Table(
        "pair",
        tables,
        Column("a", String, primary_key=True),
        Column("b", String, primary_key=True),
        Column("c", String, unique=True),
        Column("d", String),
        Index("some", "d", unique=True, sqlite_where=text("d > 'x'"), postgresql_where=text("d > 'x'")),
    )
    late = Table("late", tables, Column("id", Integer, ForeignKey(parent.c.id, deferrable=True), primary_key=True))
    mistakes: list[tuple[Table, str, list[str] | None]] = [
        (pair, "a", None),
        (pair, "d", None),
        (pair, "nothing", None),
        (pair, "c", ["a", "b"]),
    ]
    for table, key, columns in [*mistakes, (pair, "c", ["c", "e"]), (late, "id", None)]:
        with pytest.raises(ValueError, match=r"column|unique|must have|foreign key"):
            database.bulk(table, key, columns=columns)
    database.bulk(pair, "c")


async def test_arrays_are_refused_before_they_are_taken_apart(postgres: Database) -> None:
    table = Table(
        "t",
        MetaData(),
        Column("k", Integer, primary_key=True, autoincrement=False),
        Column("l", ARRAY(Integer)),
    )
    with pytest.raises(ValueError, match="array"):
        postgres.bulk(table, "k")


async def test_names_are_quoted(database: Database) -> None:
    table = Table('od"d', MetaData(), Column("select", String(9), primary_key=True), Column('q"', Integer))
    await database.write(lambda tx: table.create(tx.connection))
    bulk = database.bulk(table, "select")
    assert [await bulk.insert(("a", 1)), await bulk.insert(("a", 2))] == [True, False]
