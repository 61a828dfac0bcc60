"""Which URLs open a database, and the error of each other one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from stagedoor import storage
from stagedoor.kernel.errors import CallerMistake
from stagedoor.storage import Database, open_database
from stagedoor.storage.postgres.engine import without_password


@pytest.mark.parametrize(
    "url",
    [
        "",
        "stagedoor.db",
        "mysql://user:pw@host/db",
        "sqlite://",
        "sqlite:///relative.db",
        "sqlite:///:memory:",
        "sqlite:////tmp/a.db?mode=ro",
        "sqlite://host/a.db",
        "postgresql+psycopg://user@host/db",
    ],
)
async def test_what_is_no_database_of_stagedoor(url: str) -> None:
    with pytest.raises(CallerMistake, match=r"Write sqlite:////.* or postgresql://"):
        await open_database(url)


async def test_a_database_says_where_it_is_and_keeps_the_password(database: Database, url: str) -> None:
    assert database.url == url.replace(":secret", "")
    assert database.dialect == url.partition(":")[0]


def test_no_password_is_shown() -> None:
    shown = without_password("postgresql://me:hunter2@db/x?sslmode=require&password=hunter2&sslpassword=hunter2")
    assert shown == "postgresql://me@db/x?sslmode=require"


def test_what_the_folder_exports_is_there_whatever_is_imported_first() -> None:
    """Its names are imported when they are asked for, so none may be a module's as well."""
    for name in storage.__all__:
        assert not isinstance(getattr(storage, name), ModuleType), name
    assert not {path.stem for path in Path(storage.__file__).parent.glob("*.py")} & set(storage.__all__)
