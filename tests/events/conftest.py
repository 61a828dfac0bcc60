"""A feed on both engines, of an app that is there."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.storage import Database, open_database
from tests.support.postgres import PostgresServer
from tests.support.rooms_feed import app_id_of
from tests.support.rooms_harness import prepare


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with tables and the first app."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        made = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        made = server.create_database(request.getfixturevalue("migrated_postgres"))
    await prepare(made)
    return made


@pytest.fixture
async def database(url: str) -> AsyncGenerator[Database]:
    opened = await open_database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def app_id(database: Database) -> str:
    return await database.read(app_id_of)
