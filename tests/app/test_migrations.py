"""The migrations, run one after the other, make the tables that the code says there are."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from stagedoor.app import startup
from stagedoor.app.firstrun import make_first
from stagedoor.storage import Transaction, alembic_upgrade, metadata, migrate, open_database, upgrade
from stagedoor.storage.migration import SCRIPTS, newest_revision
from stagedoor.storage.sqlite.first_tables import make_tables
from tests.support.product import clean_environment

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


def schema(path: Path) -> dict[Any, Any]:
    """Lines of a statement are sorted: Alembic gives the constraints of a table that it recreates in any order."""
    connection: Any = apsw.Connection(str(path))
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    made = {row[:3]: sorted(line.strip(" ,") for line in (row[3] or "").splitlines()) for row in rows}
    return made | {"version": connection.execute("SELECT version_num FROM alembic_version").fetchall()}


def test_a_new_sqlite_file_has_the_tables_that_the_migrations_make(tmp_path: Path) -> None:
    """A difference means that `python tools/sqlite_tables.py` was not run after a migration was changed."""
    alembic_upgrade.upgrade(tmp_path / "migrated.db", SCRIPTS)
    assert make_tables(str(tmp_path / "new.db"), SCRIPTS, newest_revision())
    assert schema(tmp_path / "new.db") == schema(tmp_path / "migrated.db")


def test_a_first_start_on_sqlite_does_without_alembic(tmp_path: Path) -> None:
    code = "import sys; from stagedoor.storage import upgrade; upgrade(sys.argv[1]); print('alembic' in sys.modules)"
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'new.db'}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
    assert done.stdout.strip() == "False"


async def test_migrating_again_changes_nothing(url: str) -> None:
    await migrate(url)
    await migrate(url)


async def migrate_to(url: str, revision: str, folder: Path) -> None:
    """As an older version of the code would have."""
    versions = folder / "versions"
    versions.mkdir(parents=True)
    shutil.copy(SCRIPTS / "env.py", folder)
    for step in reversed(list(ScriptDirectory(str(SCRIPTS)).walk_revisions())):
        shutil.copy(step.path, versions)
        if step.revision == revision:
            break
    await asyncio.to_thread(upgrade, url, scripts=folder)


async def test_what_refers_to_a_table_that_is_recreated_stays(url: str) -> None:
    with TemporaryDirectory() as folder:
        await migrate_to(url, "0002", Path(folder) / "old")
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


async def test_bodies_of_deliveries_are_stored_once_for_their_event(url: str) -> None:
    def fill(tx: Transaction) -> None:
        app, organisation = tx.execute(text("SELECT id, organisation_id FROM apps")).one()
        for endpoint in ("whe_1", "whe_2"):
            tx.execute(
                text(
                    "INSERT INTO webhook_endpoints (id, organisation_id, url, description, types, enabled, ordered,"
                    " from_seq, sealed_secret, created_at, updated_at)"
                    " VALUES (:id, :organisation, 'https://x', '', '', true, false, 0, :secret, 1, 1)"
                ),
                {"id": endpoint, "organisation": organisation, "secret": b"secret"},
            )
            for seq in (7, 8):
                delivery = {"id": f"dlv_{endpoint}_{seq}", "endpoint": endpoint, "app": app, "seq": seq}
                tx.execute(
                    text(
                        "INSERT INTO webhook_deliveries (id, endpoint_id, app_id, event_seq, message_id, type, state,"
                        " attempts, body, created_at) VALUES (:id, :endpoint, :app, :seq, 'evt', 'room.created',"
                        " 'pending', 0, :body, 1)"
                    ),
                    delivery | {"body": f"body of {seq}".encode()},
                )
                tx.execute(
                    text("INSERT INTO webhook_attempts (delivery_id, number, answered) VALUES (:id, 1, '{}')"),
                    {"id": delivery["id"]},
                )

    with TemporaryDirectory() as folder:
        await migrate_to(url, "0008", Path(folder) / "old")
        database = await open_database(url)
        await database.write(make_first)
        await database.write(fill)
        await database.close()
    await migrate(url)
    database = await open_database(url)
    rows = (
        "SELECT d.id, b.body FROM webhook_deliveries d JOIN webhook_bodies b ON b.event_seq = d.event_seq"
        " JOIN webhook_attempts a ON a.delivery_id = d.id ORDER BY d.id"
    )
    try:
        assert await database.read(lambda tx: [tuple(row) for row in tx.execute(text(rows))]) == [
            (f"dlv_{endpoint}_{seq}", f"body of {seq}".encode()) for endpoint in ("whe_1", "whe_2") for seq in (7, 8)
        ]
        assert await database.read(lambda tx: tx.execute(text("SELECT count(*) FROM webhook_bodies")).scalar()) == 2
    finally:
        await database.close()
