"""Worlds with an empty state, on both engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.rooms_harness import SqliteWorlds, World, forget, prepare, world_on


@pytest.fixture(scope="session")
async def worlds(tmp_path_factory: pytest.TempPathFactory) -> SqliteWorlds:
    """Makes worlds on SQLite."""
    made = SqliteWorlds(tmp_path_factory.mktemp("worlds"))
    await made.prepare()
    return made


@pytest.fixture
async def sqlite_world(worlds: SqliteWorlds) -> AsyncGenerator[World]:
    """One world on SQLite, in which a comparison believes LiveKit at once."""
    async with worlds() as made:
        yield made


@pytest.fixture
def world(sqlite_world: World) -> World:
    """The same, where the engine does not matter."""
    return sqlite_world


@pytest.fixture(scope="session")
async def postgres_url(postgres_server: PostgresServer) -> str:
    """A database with tables and the first app; who uses it leaves it empty."""
    url = postgres_server.create_database()
    await prepare(url)
    return url


@pytest.fixture
async def postgres_world(postgres_url: str) -> AsyncGenerator[World]:
    async with world_on(postgres_url) as made:
        await forget(made)
        yield made
