"""Write the script that makes the tables of a new SQLite file: what all migrations make of an empty one.

python tools/sqlite_tables.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import apsw

from stagedoor.storage import alembic_upgrade
from stagedoor.storage.migration import SCRIPTS, newest_revision
from stagedoor.storage.sqlite.first_tables import FILE, first_line

_CONSTRAINT: Final = "\tCONSTRAINT"


def main() -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new.db"
        alembic_upgrade.upgrade(path, SCRIPTS)
        (SCRIPTS / FILE).write_text(script(path))
    return 0


def script(path: Path) -> str:
    """The statements that made the tables of a file, and the revision that they have."""
    connection: Any = apsw.Connection(str(path))
    # Each table, then its indexes by name: Alembic makes those of a table that it recreates in any order.
    made = connection.execute(
        "SELECT one.sql FROM sqlite_schema one JOIN sqlite_schema its ON its.name = one.tbl_name"
        " WHERE one.sql IS NOT NULL AND one.name NOT LIKE 'sqlite_%'"
        " ORDER BY its.rowid, one.type <> 'table', one.name"
    )
    statements = [f"{_in_order(sql)};\n" for (sql,) in made]
    ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
    if revision != newest_revision():
        raise SystemExit("the migrations have not one newest revision")
    return "".join([first_line(revision), *statements, f"INSERT INTO alembic_version VALUES ('{revision}');\n"])


def _in_order(sql: str) -> str:
    """The statement with its constraints sorted: Alembic gives those of a table that it recreates in any order."""
    lines = sql.split("\n")
    constraints = sorted(line.rstrip(" ,") for line in lines if line.startswith(_CONSTRAINT))
    if not constraints:
        return sql
    first = next(number for number, line in enumerate(lines) if line.startswith(_CONSTRAINT))
    rest = [line for line in lines[first:] if not line.startswith(_CONSTRAINT)]
    return "\n".join([*lines[:first], ", \n".join(constraints), *rest])


if __name__ == "__main__":
    sys.exit(main())
