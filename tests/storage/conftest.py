"""Both engines, one suite: a test that takes `database` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from stagedoor.storage import Database, open_database
from tests.storage.tables import create
from tests.support.postgres import PostgresServer, permit_connecting


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Generator[None]:
    with blockbuster_ctx("stagedoor.storage") as blockbuster:
        permit_connecting(blockbuster)
        yield


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def open_another() -> AsyncGenerator[Callable[[str], Awaitable[Database]]]:
    """Opens databases that are closed after the test, passed or not: uvloop cannot close with connections open."""
    async with AsyncExitStack() as stack:

        async def open_it(url: str) -> Database:
            opened = await open_database(url)
            stack.push_async_callback(opened.close)
            return opened

        yield open_it


@pytest.fixture
async def database(url: str) -> AsyncGenerator[Database]:
    """An open database that has the tables of `tables`."""
    opened = await open_database(url)
    await opened.write(create)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncGenerator[Database]:
    opened = await open_database(sqlite_url)
    await opened.write(create)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncGenerator[Database]:
    opened = await open_database(postgres_url)
    await opened.write(create)
    yield opened
    await opened.close()
