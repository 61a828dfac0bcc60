"""A full disk, a lock, a file that is none: which error each caller gets, and that it passes without a restart."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stagedoor.kernel.errors import CallerMistake, OperatorError, StorageUnavailable
from stagedoor.storage import Database, Transaction, open_database
from stagedoor.storage.sqlite import connection, dbapi
from tests.storage.tables import add, create, impatient, kinds, locked_by_another_program, names, note, without_cache


@contextmanager
def files_no_larger_than(size: int) -> Generator[None]:
    """The kernel refuses every write beyond `size` bytes, as a full disk does, to this process and to root too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_up_and_is_freed(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bulk = sqlite.bulk(note, "name", columns=["name", "raw"])
    stored: set[str] = set()
    refused: list[str] = []

    async def insert(name: str) -> None:
        try:
            assert await bulk.insert((name, b"x" * 2_000))
            stored.add(name)
        except StorageUnavailable as error:
            refused.append(str(error))

    with files_no_larger_than(400_000):
        await asyncio.gather(*[insert(f"n{n}") for n in range(2_000)])
        assert refused
        assert "disk" in refused[0]
        with pytest.raises(StorageUnavailable, match="disk"):
            await sqlite.write(lambda tx: add(tx, "big", raw=b"x" * 500_000))
        assert set(await sqlite.read(names)) == stored
    await insert("after")
    await sqlite.write(lambda tx: add(tx, "and a work"))
    assert set(await sqlite.read(names)) == {*stored, "and a work"}
    assert "after" in stored
    assert sqlite.counters.failures >= len(refused)


async def test_ping_notices_a_full_disk(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    without_cache(sqlite, monkeypatch)
    await sqlite.ping()
    with files_no_larger_than(10_000), pytest.raises(StorageUnavailable, match="disk"):
        await sqlite.ping()
    await sqlite.ping()


async def test_ping_asks_once_for_many(sqlite: Database) -> None:
    before = sqlite.counters.works
    await asyncio.gather(*[sqlite.ping() for _ in range(50)])
    await sqlite.ping()
    assert sqlite.counters.works - before == 1


async def test_a_lock_of_another_program(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, 200)
    database = await open_database(sqlite_url)
    await database.write(create)
    bulk = database.bulk(note, "name", columns=["name"])
    with locked_by_another_program(tmp_path / "test.db"):
        outcomes = await asyncio.gather(
            database.write(lambda tx: add(tx, "a")),
            *[bulk.insert((f"n{n}",)) for n in range(700)],
            return_exceptions=True,
        )
        assert all(isinstance(outcome, StorageUnavailable) for outcome in outcomes)
        assert "locked" in str(outcomes[0])
        assert await database.read(names) == []
    assert await bulk.insert(("n1",))
    assert await database.read(names) == ["n1"]
    await database.close()


async def test_a_short_lock_is_waited_for(sqlite: Database, tmp_path: Path) -> None:
    with locked_by_another_program(tmp_path / "test.db"):
        task = asyncio.ensure_future(sqlite.write(lambda tx: add(tx, "a")))
        await asyncio.sleep(0.3)
        assert not task.done()
    await task


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(OperatorError, match="not a database"):
        await open_database(f"sqlite:///{path}")
    with pytest.raises(CallerMistake, match="does not exist"):
        await open_database(f"sqlite:///{tmp_path}/nowhere/test.db")
    with pytest.raises(OperatorError, match="cannot be opened"):
        await open_database(f"sqlite:///{tmp_path}")


@pytest.mark.usefixtures("sqlite")
async def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    assert modes == {"test.db": 0o600, "test.db-wal": 0o600, "test.db-shm": 0o600}


async def test_the_settings_that_durability_stands_on(sqlite: Database) -> None:
    def settings(tx: object) -> dict[str, object]:
        connection = tx.connection  # type: ignore[attr-defined]
        wanted = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    assert await sqlite.write(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
    }


async def test_a_statement_that_takes_too_long_is_interrupted(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STATEMENT_S", 0.3)
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"

    def work(tx: Transaction) -> None:
        add(tx, "a")
        tx.connection.exec_driver_sql(endless)

    outcomes = await asyncio.gather(
        sqlite.write(work), sqlite.write(lambda tx: add(tx, "b")), sqlite.read(work), return_exceptions=True
    )
    assert "too long" in str(outcomes[0])
    assert kinds(outcomes)[::2] == ["StorageUnavailable", "OperationalError"]
    assert await sqlite.read(names) == (["b"] if outcomes[1] is None else [])
    with pytest.raises(StorageUnavailable, match="too long"):
        await sqlite.read(lambda tx: tx.connection.exec_driver_sql(endless).scalar())
    await sqlite.write(lambda tx: add(tx, "c"))


async def test_the_wal_is_in_the_file_after_the_close(sqlite_url: str, tmp_path: Path) -> None:
    database = await open_database(sqlite_url)
    await database.write(create)
    await database.close()
    assert os.listdir(tmp_path) == ["test.db"]


async def test_an_engine_with_the_wal_bug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbapi, "sqlite_version_info", (3, 51, 2))
    with pytest.raises(OperatorError, match="newer apsw"):
        await open_database(f"sqlite:///{tmp_path}/test.db")
