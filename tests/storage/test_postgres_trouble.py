"""A server that restarts, refuses or is a standby: which error each caller gets, and that it passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator

import asyncpg
import pytest
from sqlalchemy import select

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage import Database, Transaction, open_database
from stagedoor.storage.postgres import faults
from stagedoor.storage.prepared import Prepared
from tests.storage.tables import (
    Verb,
    add,
    another_client,
    create,
    kinds,
    names,
    note,
    wait_until_locked_out,
    without_cache,
)
from tests.support.ports import free_ports
from tests.support.postgres import PostgresServer, running_postgres

OpenAnother = Callable[[str], Awaitable[Database]]


@pytest.fixture
def own_server() -> Generator[PostgresServer]:
    with running_postgres() as server:
        yield server


async def test_a_restart_of_the_server(
    own_server: PostgresServer, open_another: OpenAnother, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await open_another(own_server.url())
    without_cache(database, monkeypatch)
    await database.write(create)
    bulk = database.bulk(note, "name", columns=["name"])
    stored: set[str] = set()
    refused = 0
    going = True

    async def caller(number: int) -> None:
        nonlocal refused
        step = 0
        while going:
            step += 1
            name = f"{number}.{step}"
            try:
                await (bulk.insert((name,)) if number % 2 else database.write(lambda tx, name=name: add(tx, name)))
                stored.add(name)
            except StorageUnavailable:
                refused += 1
                await asyncio.sleep(0.01)

    async def more_than(count: int) -> None:
        async with asyncio.timeout(30):
            while len(stored) <= count:  # noqa: ASYNC110 - a plain set
                await asyncio.sleep(0.01)

    callers = [asyncio.ensure_future(caller(number)) for number in range(10)]
    await more_than(0)
    await asyncio.to_thread(own_server.stop)
    with pytest.raises(StorageUnavailable, match=r"reached|lost|stopping"):
        await database.ping()
    with pytest.raises(StorageUnavailable):
        await database.read(names)
    before = len(stored)
    await asyncio.to_thread(own_server.start)
    await more_than(before)
    going = False
    await asyncio.gather(*callers)
    await database.ping()
    assert refused
    assert stored <= set(await database.read(names))


async def test_an_idle_database_survives_a_restart_unnoticed(
    own_server: PostgresServer, open_another: OpenAnother
) -> None:
    database = await open_another(own_server.url())
    await database.write(create)
    bulk = database.bulk(note, "name", columns=["name"])
    assert await bulk.insert(("a",))
    await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)
    assert await bulk.insert(("b",))
    assert await asyncio.gather(*[database.read(names) for _ in range(5)]) == [["a", "b"]] * 5


async def test_a_connection_that_the_server_ends(postgres: Database) -> None:
    bulk = postgres.bulk(note, "name", columns=["name"])
    assert await bulk.insert(("a",))
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    end_others = f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    ended = await postgres.write(lambda tx: tx.connection.exec_driver_sql(end_others).scalars().all())
    left = f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({', '.join(map(str, ended))})"
    async with asyncio.timeout(30):
        while await postgres.write(lambda tx: tx.connection.exec_driver_sql(left).scalar_one()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await bulk.insert(("b",))
    with pytest.raises(StorageUnavailable):
        await postgres.write(lambda tx: tx.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await postgres.read(names) == ["a", "b"]


async def test_a_server_that_is_not_there_or_does_not_know_us(postgres_server: PostgresServer) -> None:
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        await open_database(f"postgresql://stagedoor:secret@127.0.0.1:{free_ports(1)[0]}/postgres")
    with pytest.raises(StorageUnavailable, match="user, the password"):
        await open_database(postgres_server.url().replace("secret", "wrong"))
    with pytest.raises(StorageUnavailable, match="database's name"):
        await open_database(postgres_server.url("nothing"))


async def test_a_database_that_is_read_only(postgres: Database, postgres_url: str, open_another: OpenAnother) -> None:
    name = postgres_url.rpartition("/")[2]
    await postgres.write(
        lambda tx: tx.connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    )
    standby = await open_another(postgres_url)
    for call in (standby.ping(), standby.write(lambda tx: add(tx, "a"))):
        with pytest.raises(StorageUnavailable, match="cannot be written"):
            await call
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        await standby.bulk(note, "name", columns=["name"]).insert(("a",))
    assert await standby.read(names) == []
    await postgres.ping()


async def test_works_that_wait_for_each_other(postgres: Database, postgres_url: str) -> None:
    await postgres.write(lambda tx: (add(tx, "a", size=0), add(tx, "b", size=0)))
    grow = note.update().values(size=note.c.size + 1)

    def both(first: str, second: str) -> Verb:
        def work(tx: Transaction) -> None:
            tx.execute(grow.where(note.c.name == first))
            tx.connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(1)")  # until the other is so far
            tx.execute(grow.where(note.c.name == second))

        return work

    async with another_client(postgres_url) as other:
        await other.execute("SELECT pg_advisory_lock(1)")
        works = [asyncio.ensure_future(postgres.write(both(*order))) for order in ("ab", "ba")]
        await wait_until_locked_out(other, 2)
        await other.execute("SELECT pg_advisory_unlock(1)")
        outcomes = await asyncio.gather(*works, return_exceptions=True)
    assert sorted(kinds(outcomes)) == ["NoneType", "StorageUnavailable"]


async def test_a_batch_that_is_undone_to_end_a_deadlock_is_stored_again(postgres: Database, postgres_url: str) -> None:
    bulk = postgres.bulk(note, "name", columns=["name", "size"], in_order_of="size")
    async with another_client(postgres_url) as other:
        await other.execute("SET deadlock_timeout = '10s'")  # so that the server finds it from our side, and undoes us
        async with other.transaction():
            await other.execute("INSERT INTO note (name) VALUES ('b')")
            rows = [asyncio.ensure_future(bulk.insert((name, 1))) for name in "abc"]
            await wait_until_locked_out(other)
            await other.execute("INSERT INTO note (name) VALUES ('a')")
    assert await asyncio.gather(*rows) == [False, False, True]


async def test_nodes_that_are_given_the_same_keys_in_another_order(
    postgres: Database, postgres_url: str, open_another: OpenAnother
) -> None:
    other = await open_another(postgres_url)
    for attempt in range(6):
        keys = [f"{attempt}.{number}" for number in range(400)]
        lanes = [
            (node.bulk(note, "name", columns=["name", "size"], in_order_of="size"), order)
            for node, order in ((postgres, keys), (other, keys[::-1]))
        ]
        outcomes = await asyncio.gather(*[bulk.insert((key, 1)) for bulk, order in lanes for key in order])
        assert sum(outcomes) == len(keys)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), "was lost"),
        (asyncpg.InterfaceError("connection is closed"), "was lost"),
        (asyncpg.DiskFullError("no space left"), "full"),
        (asyncpg.TooManyConnectionsError("sorry"), "to spare"),
        (asyncpg.UniqueViolationError("duplicate"), None),
        (asyncpg.UndefinedTableError("typo"), None),
        (asyncpg.exceptions.DataError("too long"), None),
    ],
)
def test_what_is_the_databases_fault(error: Exception, sentence: str | None) -> None:
    """The first is what asyncpg raises in the moment between the server's farewell and the end of its connection."""
    found = faults.unavailable(error)
    assert (found is None) if sentence is None else (found is not None and sentence in found)


async def test_a_reader_that_is_cancelled_twice_leaves_the_pool_its_connection(
    postgres_url: str, open_another: OpenAnother
) -> None:
    """The second time while what the first one broke off is being ended."""
    database = await open_another(postgres_url)

    def slow(tx: Transaction) -> None:
        tx.connection.exec_driver_sql("SELECT pg_sleep(20)")

    for turns in range(20):  # more than there are connections
        reading = asyncio.create_task(database.read(slow))
        await asyncio.sleep(0.03)
        reading.cancel()
        for _ in range(turns % 5):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert await database.read(lambda tx: tx.connection.exec_driver_sql("SELECT 1").scalar()) == 1


async def test_a_reader_that_is_cancelled_as_its_transaction_begins_leaves_none_to_the_next(
    postgres_url: str, open_another: OpenAnother
) -> None:
    """A prepared statement is run beside SQLAlchemy, which gives up a connection whose caller was cancelled."""
    database = await open_another(postgres_url)
    await database.write(create)
    every = Prepared(select(note.c.name))
    await database.read(lambda tx: tx.rows(every, {}))
    for turns in range(60):
        reading = asyncio.create_task(database.read(lambda tx: tx.rows(every, {})))
        for _ in range(turns % 12):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await database.write(lambda tx, name=f"n{turns}": add(tx, name))
    assert len(await database.read(names)) == 60
