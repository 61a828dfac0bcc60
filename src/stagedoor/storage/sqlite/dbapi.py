"""The PEP 249 interface that SQLAlchemy needs, over apsw.

apsw is here for the SQLite it carries. In SQLite 3.7.0 to 3.51.2, which is what stable distributions and
CPython load, two connections can corrupt a WAL file (https://sqlite.org/wal.html, "the WAL-reset bug"); apsw
has wheels of a repaired one for x86-64 and arm64.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import apsw

from stagedoor.storage.sqlite.connection import Connection, Cursor, Mode
from stagedoor.storage.sqlite.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    translated,
)

__all__ = [
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "apilevel",
    "connect",
    "paramstyle",
    "sqlite_version",
    "sqlite_version_info",
    "threadsafety",
]

apilevel: Final = "2.0"
threadsafety: Final = 1
paramstyle: Final = "qmark"
sqlite_version: Final = apsw.sqlite_lib_version()
sqlite_version_info: Final = tuple(int(part) for part in sqlite_version.split("."))

BUSY_TIMEOUT_MS: Final = 5_000
CHECKPOINT_PAGES: Final = 4_000
"""16 MB of 4 KiB pages between checkpoints: each one costs an fsync of the database file."""
JOURNAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""What a WAL file is cut back to after a burst."""

CACHE_KIB: Final = 16 * 1024
"""Of pages that the writer keeps. SQLite's default of 2 MB is less than a burst of webhooks: a fifth of the time of
applying them went into reading them back from the WAL."""

Binary: Final = bytes


def connect(path: str | Path, *, mode: Mode, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Connection:
    """Open a database file that exists.

    Args:
        path: The file.
        mode: `write` begins with the write lock; `read` cannot write; `migrate` writes with foreign keys off,
            because recreating a table with them on deletes what refers to it.
        busy_timeout_ms: How long to wait for a lock that another process holds.

    Raises:
        OperationalError: It cannot be opened, or is locked.
        DatabaseError: It is not a database.
    """
    connection: Any = None
    try:
        # READWRITE for readers too: a reader may have to recover or create the WAL's index file.
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(busy_timeout_ms)
        for setting in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
            connection.config(setting, 0)  # a misspelt "column" is an error, not a string
        if mode != "read":
            _use_wal(connection, busy_timeout_ms)
        for pragma in _pragmas(mode):
            connection.execute(f"PRAGMA {pragma}")
    except apsw.Error as error:
        if connection is not None:
            connection.close(force=True)
        raise translated(error) from error
    return Connection(connection, mode)


def _use_wal(connection: Any, busy_timeout_ms: int) -> None:
    deadline = time.monotonic() + busy_timeout_ms / 1000
    while connection.execute("PRAGMA journal_mode").fetchall() != [("wal",)]:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except apsw.BusyError:  # SQLite itself does not wait when two want to change a new file's mode
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _pragmas(mode: Mode) -> list[str]:
    common = ["temp_store=MEMORY", f"foreign_keys={'OFF' if mode == 'migrate' else 'ON'}"]
    if mode == "read":
        return [*common, "query_only=ON"]
    # FULL and not NORMAL: with NORMAL a power cut can take commits that were already acknowledged.
    return [
        "synchronous=FULL",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        f"journal_size_limit={JOURNAL_LIMIT_BYTES}",
        f"cache_size=-{CACHE_KIB}",
        *common,
    ]
