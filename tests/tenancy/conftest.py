"""A database with every table, and nothing in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.storage import Database, migrate, open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await migrate(url)
    opened = await open_database(url)
    yield opened
    await opened.close()
