"""Bringing a database's tables up to what this version of the code expects.

Alembic is imported when a migration is due, and not before: nearly every start finds that none is. A new SQLite file
gets its tables without it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import apsw

from stagedoor.storage.opening import sqlite_path
from stagedoor.storage.sqlite.first_tables import make_tables

SCRIPTS: Final = Path(__file__).parent / "migrations"
_REVISION: Final = re.compile(r'^(down_revision|revision)\b[^=\n]*= *"(\w+)"', re.MULTILINE)
_STORED: Final = "SELECT version_num FROM alembic_version"


async def migrate(url: str | Path) -> None:
    """`upgrade` from an event loop, which it does not block."""
    await asyncio.to_thread(upgrade, url)


def upgrade(url: str | Path, *, scripts: Path = SCRIPTS) -> None:
    """Run the migrations that the database at `url` lacks, all in one transaction: all of them, or none.

    Args:
        url: As for `open_database`. A SQLite file is made if there is none.
        scripts: The folder that holds `versions/`.

    Raises:
        CallerMistake: The URL is wrong.
        OperatorError: The database was migrated by a newer version of the code.
        StorageUnavailable: The database cannot be reached or is locked.
    """
    newest = newest_revision(scripts)
    if stored_revisions(url) == {newest}:
        return
    path = sqlite_path(url)
    if path is not None and make_tables(path, scripts, newest):
        return
    from stagedoor.storage import alembic_upgrade

    alembic_upgrade.upgrade(url, scripts)


def newest_revision(scripts: Path = SCRIPTS) -> str | None:
    """The revision that no other builds on, read from the migrations' texts; `None` when it is not one."""
    found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for script in (scripts / "versions").glob("*.py"):
        for name, revision in _REVISION.findall(script.read_text("utf-8")):
            found[name].add(revision)
    heads = found["revision"] - found["down_revision"]
    return heads.pop() if len(heads) == 1 else None


def stored_revisions(url: str | Path) -> set[str]:
    """What the database says of itself; nothing when it cannot be asked, which the upgrade finds words for."""
    path = sqlite_path(url)
    return asyncio.run(_on_postgres(str(url))) if path is None else _on_sqlite(path)


def _on_sqlite(path: str) -> set[str]:
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error:
        return set()
    try:
        cursor: Any = connection.cursor()
        rows: list[Any] = cursor.execute(_STORED).fetchall()
        return {str(row[0]) for row in rows}
    except apsw.Error:
        return set()
    finally:
        connection.close()


async def _on_postgres(url: str) -> set[str]:
    from stagedoor.kernel.errors import StorageUnavailable
    from stagedoor.storage.postgres.connect import CONNECT_TIMEOUT_S, connect
    from stagedoor.storage.postgres.faults import FAILURES

    try:
        connection = await connect(url)
    except StorageUnavailable:
        return set()
    try:
        rows: list[Any] = await connection.fetch(_STORED, timeout=CONNECT_TIMEOUT_S)
        return {str(row[0]) for row in rows}
    except FAILURES:
        return set()
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
