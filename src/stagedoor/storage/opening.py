"""From a URL to an open database."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from stagedoor.kernel.errors import CallerMistake
from stagedoor.storage.database import Database
from stagedoor.storage.sqlite.engine import open_sqlite

FORMS: Final = "Write sqlite:////var/lib/stagedoor/stagedoor.db or postgresql://user:password@host/database."


async def open_database(url: str | Path, *, read_connections: int = 4) -> Database:
    """Open the database at `url` on the running event loop.

    Args:
        url: The absolute path of a SQLite file, `sqlite:///` and the same, or a libpq URL that begins with
            `postgresql://`.
        read_connections: How many reads may run at once; on PostgreSQL six more connections are for writes.

    Raises:
        CallerMistake: The URL is none of these, or names a folder that does not exist.
        OperatorError: The file is not a database, or may not be written.
        StorageUnavailable: The server cannot be reached, or another program locks the file.
    """
    sqlite = sqlite_path(url)
    if sqlite is not None:
        return await open_sqlite(sqlite, read_connections)
    # PostgreSQL's driver, and what SQLAlchemy needs for it, are a third of all that a start on SQLite would import.
    from stagedoor.storage.postgres.engine import open_postgres

    return await open_postgres(str(url), read_connections)


def sqlite_path(url: str | Path) -> str | None:
    """The path of a SQLite file or URL, None for a PostgreSQL URL. A path is no URL: in it, `%`, `?` and `#` are names.

    Raises:
        CallerMistake: It is neither.
    """
    if isinstance(url, Path):
        return str(url)
    try:
        parts = make_url(url)
    except ArgumentError:
        raise CallerMistake(f"The database's URL cannot be understood. {FORMS}") from None
    if parts.drivername in {"postgresql", "postgres"}:
        return None
    if parts.drivername != "sqlite":
        raise CallerMistake(f"There is no database of the kind {parts.drivername!r}. {FORMS}")
    path = parts.database or ""
    if parts.host or parts.query or not PurePosixPath(path).is_absolute():
        raise CallerMistake(f"The URL of a SQLite database has an absolute path and nothing else. {FORMS}")
    return path
