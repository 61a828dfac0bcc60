"""Both engines, one suite: a test that takes `database` runs on SQLite and on a real PostgreSQL, with every table."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.storage import Database, migrate, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    await migrate(url)
    opened = await open_database(url)
    yield opened
    await opened.close()
