"""Migrations: all or nothing, one node at a time, never backwards, and no row lost with a table."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from stagedoor.kernel.errors import CallerMistake, OperatorError, StorageUnavailable
from stagedoor.storage import Transaction, alembic_upgrade, migrate, open_database, upgrade
from stagedoor.storage.migration import SCRIPTS
from stagedoor.storage.sqlite.first_tables import FILE, first_line
from tests.storage.tables import another_client, impatient, locked_by_another_program

FIRST = """
import sqlalchemy as sa
from alembic import op
from stagedoor.storage import Json, row_id
revision, down_revision = "0001", None
def upgrade():
    op.create_table("parent", row_id(), sa.Column("name", sa.String(9)), sa.Column("document", Json))
    op.create_table(
        "child",
        row_id(),
        sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("parent.id", ondelete="CASCADE"), nullable=False),
    )
    op.execute("INSERT INTO parent (name) VALUES ('a')")
    op.execute("INSERT INTO child (parent_id) VALUES (1)")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("name", type_=sa.String(40), nullable=False)
        batch.add_column(sa.Column("more", sa.String(9)))
"""
BROKEN = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("CREATE TABLE half (id INTEGER)")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
DANGLING = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("DELETE FROM parent")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    (folder / "versions").mkdir(parents=True)
    shutil.copy(SCRIPTS / "env.py", folder)
    return folder


def give(scripts: Path, **migrations: str) -> Path:
    for name, source in migrations.items():
        (scripts / "versions" / f"{name}.py").write_text(source)
    return scripts


async def run(url: str, scripts: Path) -> None:
    await asyncio.to_thread(upgrade, url, scripts=scripts)


async def query(url: str, sql: str) -> list[tuple[object, ...]]:
    database = await open_database(url)
    try:
        return await database.read(lambda tx: [tuple(row) for row in tx.execute(text(sql))])
    finally:
        await database.close()


async def test_missing_migrations_run_once(url: str, scripts: Path) -> None:
    await run(url, give(scripts, first=FIRST))
    await run(url, give(scripts, second=SECOND))
    await run(url, scripts)
    assert await query(url, "SELECT name, more FROM parent") == [("a", None)]
    assert await query(url, "SELECT version_num FROM alembic_version") == [("0002",)]
    # SQLite recreates the parent to change it; with foreign keys on, that would have deleted its children.
    assert await query(url, "SELECT parent_id FROM child") == [(1,)]


SCRIPT = """CREATE TABLE parent (name TEXT NOT NULL);
CREATE TABLE alembic_version (version_num TEXT NOT NULL);
INSERT INTO alembic_version VALUES ('{0}');
"""


async def test_a_new_file_is_made_by_the_script_of_the_newest_revision(sqlite_url: str, scripts: Path) -> None:
    (scripts / FILE).write_text(first_line("0001") + SCRIPT.format("0001"))
    await run(sqlite_url, give(scripts, first=FIRST))
    assert await query(sqlite_url, "SELECT name FROM parent") == []  # the migration would have added a row


@pytest.mark.parametrize("script", [first_line("0000") + SCRIPT.format("0000"), first_line("0001") + "CREATE TABLE (;"])
async def test_a_script_that_is_older_or_broken_leaves_it_to_the_migrations(
    sqlite_url: str, scripts: Path, script: str
) -> None:
    (scripts / FILE).write_text(script)
    await run(sqlite_url, give(scripts, first=FIRST))
    assert await query(sqlite_url, "SELECT name FROM parent") == [("a",)]
    assert await query(sqlite_url, "SELECT version_num FROM alembic_version") == [("0001",)]


async def test_a_script_is_not_run_on_a_file_that_has_tables(sqlite_url: str, scripts: Path) -> None:
    await run(sqlite_url, give(scripts, first=FIRST))
    (scripts / FILE).write_text(first_line("0002") + SCRIPT.format("0002"))
    await run(sqlite_url, give(scripts, second=SECOND))
    assert await query(sqlite_url, "SELECT name, more FROM parent") == [("a", None)]


async def test_a_migration_that_fails_leaves_nothing_behind(url: str, scripts: Path) -> None:
    await run(url, give(scripts, first=FIRST))
    with pytest.raises(Exception, match="nowhere"):
        await run(url, give(scripts, second=SECOND, broken=BROKEN))
    assert await query(url, "SELECT version_num FROM alembic_version") == [("0001",)]
    with pytest.raises(Exception, match="more"):
        await query(url, "SELECT more FROM parent")
    with pytest.raises(Exception, match="half"):
        await query(url, "SELECT * FROM half")


async def test_rows_that_point_nowhere_are_noticed(sqlite_url: str, scripts: Path) -> None:
    await run(sqlite_url, give(scripts, first=FIRST, second=SECOND))
    with pytest.raises(OperatorError, match="row of child"):
        await run(sqlite_url, give(scripts, dangling=DANGLING))
    assert await query(sqlite_url, "SELECT name FROM parent") == [("a",)]


async def test_a_database_that_is_newer_than_the_code_is_left_alone(url: str, scripts: Path) -> None:
    await run(url, give(scripts, first=FIRST, second=SECOND))
    (scripts / "versions" / "second.py").unlink()
    with pytest.raises(OperatorError, match=r"newer version of Stagedoor.*0002"):
        await run(url, scripts)
    assert await query(url, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_nodes_that_start_together(url: str, scripts: Path) -> None:
    give(scripts, first=FIRST, second=SECOND)
    code = (
        f"from stagedoor.storage import upgrade; upgrade({url!r}, scripts=__import__('pathlib').Path({str(scripts)!r}))"
    )
    nodes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [node.wait(60) for node in nodes] == [0, 0, 0]
    assert asyncio.run(query(url, "SELECT name FROM parent")) == [("a",)]


async def test_a_node_waits_for_the_one_that_migrates(postgres_url: str, scripts: Path) -> None:
    async with another_client(postgres_url) as other:
        await other.execute(f"SELECT pg_advisory_lock({alembic_upgrade.LOCK})")
        running = asyncio.ensure_future(run(postgres_url, give(scripts, first=FIRST)))
        await asyncio.sleep(0.5)
        assert not running.done()
        assert await other.fetchval("SELECT to_regclass('parent')") is None
    await running
    assert await query(postgres_url, "SELECT name FROM parent") == [("a",)]


async def test_the_products_own_migrations_run(url: str) -> None:
    await migrate(url)
    await migrate(url)

    def look(tx: Transaction) -> str:
        return tx.dialect

    database = await open_database(url)
    assert await database.read(look) in url
    await database.close()


async def test_what_cannot_be_migrated(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CallerMistake):
        await migrate("mysql://x/y")
    with pytest.raises(StorageUnavailable, match="reached"):
        await migrate("postgresql://nobody:x@127.0.0.1:1/none")
    impatient(monkeypatch, 100)
    with locked_by_another_program(tmp_path / "test.db"), pytest.raises(StorageUnavailable, match="locked"):
        await migrate(sqlite_url)


def test_alembics_own_command_works_on_the_folder(tmp_path: Path, scripts: Path) -> None:
    shutil.copy(SCRIPTS / "script.py.mako", scripts)
    give(scripts, first=FIRST)
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {scripts}\n")
    for arguments in (["upgrade", "head"], ["revision", "--autogenerate", "-m", "another"]):
        command = [sys.executable, "-m", "alembic", "-x", f"url=sqlite:///{tmp_path}/a.db", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    made = next((scripts / "versions").glob("*another*")).read_text()
    assert "def upgrade() -> None:" in made
    compile(made, "made", "exec")
