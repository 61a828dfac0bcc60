"""A database with every table, and nothing in it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stagedoor.storage import Database, open_database


@pytest.fixture
async def database(tmp_path: Path, migrated_sqlite: Path) -> AsyncGenerator[Database]:
    path = shutil.copyfile(migrated_sqlite, tmp_path / "test.db")
    opened = await open_database(f"sqlite:///{path}")
    yield opened
    await opened.close()
