"""The migrations, run one after the other, make the tables that the code says there are."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from stagedoor.app import startup
from stagedoor.app.firstrun import make_first
from stagedoor.storage import Transaction, metadata, migrate, open_database, upgrade
from stagedoor.storage.migration import SCRIPTS

EVERY_PART = startup
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


async def test_what_refers_to_a_table_that_is_recreated_stays(url: str) -> None:
    steps = ScriptDirectory(str(SCRIPTS))
    everything = list(reversed(list(steps.walk_revisions())))

    async def migrate_to(revision: str, folder: Path) -> None:
        """As an older version of the code would have."""
        versions = folder / "versions"
        versions.mkdir(parents=True)
        shutil.copy(SCRIPTS / "env.py", folder)
        for step in everything:
            shutil.copy(step.path, versions)
            if step.revision == revision:
                break
        await asyncio.to_thread(upgrade, url, scripts=folder)

    with TemporaryDirectory() as folder:
        await migrate_to("0002", Path(folder) / "old")
        database = await open_database(url)
        await database.write(make_first)

        def fill(tx: Transaction) -> None:
            app = tx.execute(text("SELECT id FROM apps")).scalar_one()
            tx.execute(
                text(
                    "INSERT INTO sessions (id, app_id, room, livekit_room, room_sid, state, started_at,"
                    " started_at_source, last_seen_at, changed_at, active_participants, peak_participants)"
                    " VALUES ('ses_1', :app, 'demo', 'live-demo', 'RM_1', 'active', 1, 'livekit', 1, 1, 1, 1)"
                ),
                {"app": app},
            )
            tx.execute(
                text(
                    "INSERT INTO participants (session_id, sid, identity, name, kind, state, changed_at)"
                    " VALUES ('ses_1', 'PA_1', 'ada', '', 'standard', 'active', 1)"
                )
            )

        await database.write(fill)
        await database.close()
    await migrate(url)
    database = await open_database(url)
    try:
        rows = "SELECT s.room_sid, p.sid FROM sessions s JOIN participants p ON p.session_id = s.id"
        assert await database.read(lambda tx: [tuple(row) for row in tx.execute(text(rows))]) == [("RM_1", "PA_1")]
    finally:
        await database.close()
