"""The tables of a new SQLite file, made at once instead of migration by migration.

Alembic and a dozen migrations are a fifth of the time of a first start, and 12 MB of memory for as long as it runs.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.engine import prepare

FILE: Final = "sqlite.sql"
"""The name of the script in the folder of the migrations; `tools/sqlite_tables.py` writes it."""


def make_tables(path: str, scripts: Path, newest: str | None) -> bool:
    """Make every table of a file that has none.

    Args:
        path: The file; it is made if there is none.
        scripts: The folder of the migrations.
        newest: The revision that the tables must be of.

    Returns:
        Whether they were made, all or none. They are not in a file that has tables, when there is no script or one of
        an older revision, and when the file cannot be written, which the migrations find words for.
    """
    file = scripts / FILE
    if newest is None or not file.is_file():
        return False
    script = file.read_text("utf-8")
    if not script.startswith(first_line(newest)):
        return False
    prepare(path)
    with contextlib.suppress(dbapi.Error), contextlib.closing(dbapi.connect(path, mode="write")) as connection:
        connection.begin()
        if connection.cursor().execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None:
            connection.run(script)
            connection.commit()
            return True
    return False


def first_line(revision: str) -> str:
    """The line that says which migrations a script stands for."""
    return f"-- The tables after the migration {revision}; python tools/sqlite_tables.py writes this file.\n"
