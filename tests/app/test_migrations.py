"""The migrations, run one after the other, make the tables that the code says there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stagedoor.app.product import Product
from stagedoor.storage import Transaction, metadata, migrate, open_database

EVERY_PART = Product
"""It knows every part, so importing it defines every table."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'stagedoor.db'}"
    return str(request.getfixturevalue("postgres_server").create_database())


async def test_migrations_make_what_the_code_says(url: str) -> None:
    await migrate(url)
    database = await open_database(url)

    def differences(tx: Transaction) -> list[Any]:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    try:
        assert await database.read(differences) == []
    finally:
        await database.close()


async def test_migrating_again_changes_nothing(url: str) -> None:
    await migrate(url)
    await migrate(url)
