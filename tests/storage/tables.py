"""The tables of these tests, and the few verbs that most of them use."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, MetaData, String, Table, select

from stagedoor.storage import Database, Json, Milliseconds, Transaction, row_id
from stagedoor.storage.probe_cache import ProbeCache
from stagedoor.storage.sqlite import dbapi

schema: Final = MetaData()

note: Final = Table(
    "note",
    schema,
    row_id(),
    Column("name", String(40), nullable=False, unique=True),
    Column("size", Milliseconds, CheckConstraint("size >= 0")),
    Column("document", Json),
    Column("raw", LargeBinary),
)

remark: Final = Table(
    "remark",
    schema,
    row_id(),
    Column("note", String(40), ForeignKey("note.name", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("text", String(40)),
)


Verb = Callable[[Transaction], Any]


def create(tx: Transaction) -> None:
    schema.create_all(tx.connection)


def add(tx: Transaction, name: str, **values: Any) -> None:
    tx.execute(note.insert().values(name=name, **values))


def names(tx: Transaction) -> list[str]:
    """The names of all notes, in the order of their numbers."""
    return list(tx.execute(select(note.c.name).order_by(note.c.id)).scalars())


async def wait_until_waiting(database: Database, count: int) -> None:
    """Until so many works and rows wait to be written."""
    async with asyncio.timeout(30):
        while database.waiting < count:  # noqa: ASYNC110 - a number, whose changes are not announced
            await asyncio.sleep(0.001)


def kinds(outcomes: Sequence[object]) -> list[str]:
    """What each outcome of a `gather` is."""
    return [type(outcome).__name__ for outcome in outcomes]


@contextmanager
def locked_by_another_program(path: Path) -> Generator[None]:
    """Another process: a second SQLite in ours would not see our locks, and its `close` would drop them."""
    code = f"import apsw; c = apsw.Connection({str(path)!r}); c.execute('BEGIN IMMEDIATE'); print(flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@asynccontextmanager
async def another_client(url: str) -> AsyncGenerator[Any]:
    """A connection to PostgreSQL that is the test's alone."""
    untyped: Any = asyncpg
    connection = await untyped.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def wait_until_locked_out(client: Any, count: int = 1) -> None:
    """Until so many transactions wait for a lock."""
    async with asyncio.timeout(30):
        while await client.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def impatient(monkeypatch: pytest.MonkeyPatch, busy_timeout_ms: int) -> None:
    """Have SQLite wait less long for a lock."""
    defaults: Any = dbapi.connect.__kwdefaults__
    monkeypatch.setitem(defaults, "busy_timeout_ms", busy_timeout_ms)


def without_cache(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `ping` ask every time."""
    monkeypatch.setattr(database, "_heartbeat", ProbeCache(database._probe, keep_s=0))
