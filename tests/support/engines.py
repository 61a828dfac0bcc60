"""Both engines, one suite: a test that takes `database` runs on SQLite and on a real PostgreSQL, with every table."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.storage import Database, migrate, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where `database` is, for tests that open it more than once."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_server").create_database()
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    await migrate(database_url)
    opened = await open_database(database_url)
    yield opened
    await opened.close()
