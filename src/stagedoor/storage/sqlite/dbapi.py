"""The PEP 249 interface that SQLAlchemy needs, over apsw.

apsw is here for the SQLite it carries. In SQLite 3.7.0 to 3.51.2, which is what stable distributions and
CPython load, two connections can corrupt a WAL file (https://sqlite.org/wal.html, "the WAL-reset bug"); apsw
has wheels of a repaired one for x86-64 and arm64.

Differences from `sqlite3`: nothing begins by itself, and a result is read whole when its statement is
executed, so that no half-read statement holds back a commit, a rollback or a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import apsw

from stagedoor.storage.sqlite.errors import (
    RAISED,
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

Binary: Final = bytes
Values = Sequence[Any] | Mapping[str, Any]


class Cursor:
    """One statement and the rows it gave."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor: Any = apsw.Cursor(connection.apsw)
        self._cursor.exec_trace = self._trace
        self._rows: list[Any] = []
        self._next = 0
        self.description: tuple[tuple[str, str | None, None, None, None, None, None], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def _trace(self, cursor: apsw.Cursor, _sql: str, _values: Any) -> bool:
        # Only here does apsw describe a statement that turns out to have no rows.
        columns = cursor.get_description()
        self.description = tuple((name, kind, None, None, None, None, None) for name, kind in columns) or None
        return True

    def execute(self, sql: str, values: Values = ()) -> Cursor:
        """Run a statement and read all its rows."""
        self._run(self._cursor.execute, sql, values)
        if self.rowcount:
            # `changes` leaves out what triggers and foreign keys did, but after a statement that cannot change
            # anything it is still an earlier one's.
            self.rowcount = self._connection.apsw.changes()
        return self

    def executemany(self, sql: str, values: Iterable[Values]) -> Cursor:
        """Run a statement once for every set of values."""
        self._run(self._cursor.executemany, sql, values)
        return self

    def _run(self, run: Callable[..., Any], sql: str, values: Any) -> None:
        self._rows, self._next = [], 0
        self.description, self.rowcount = None, -1
        before = self._connection.apsw.total_changes()
        try:
            self._rows = run(sql, values).fetchall()
        except RAISED as error:
            self._cursor.close(force=True)  # a statement that could not be bound would keep the file from closing
            raise translated(error) from error
        self.rowcount = self._connection.apsw.total_changes() - before
        self.lastrowid = self._connection.apsw.last_insert_rowid()

    def fetchone(self) -> Any:
        """The next row, or None."""
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows, one when `size` is not given."""
        start = self._next
        self._next = min(len(self._rows), start + (size or self.arraysize))
        return self._rows[start : self._next]

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        start, self._next = self._next, len(self._rows)
        return self._rows[start:]

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []
        self._cursor.exec_trace = None  # or the two cursors would hold each other until the next collection
        self._cursor.close(force=True)

    def setinputsizes(self, sizes: object) -> None:
        """Required by PEP 249; does nothing."""

    def setoutputsize(self, size: object, column: object = None) -> None:
        """Required by PEP 249; does nothing."""


class Connection:
    """One connection of one thread.

    Attributes:
        apsw: What is underneath, for prepared statements on the hot path.
    """

    def __init__(self, connection: apsw.Connection, begin: str) -> None:
        self.apsw: Any = connection  # its stubs name types that the type checker does not know on Python 3.11
        self._begin = begin

    @property
    def in_transaction(self) -> bool:
        """False also after SQLite gave a transaction up by itself, as it may on a full disk."""
        return bool(self.apsw.in_transaction)

    def run(self, sql: str) -> None:
        """Run a statement that has no values and gives no rows."""
        try:
            self.apsw.execute(sql)
        except apsw.Error as error:
            raise translated(error) from error

    def begin(self) -> None:
        """Begin a transaction, of the kind this connection was opened for."""
        self.run(self._begin)

    def commit(self) -> None:
        """Commit, if there is something to commit."""
        if self.in_transaction:
            self.run("COMMIT")

    def rollback(self) -> None:
        """Roll back, if there is something to roll back."""
        if self.in_transaction:
            self.run("ROLLBACK")

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self)

    def close(self) -> None:
        """Close; what was not committed is rolled back."""
        try:
            self.apsw.close(force=True)
        except apsw.Error as error:
            raise translated(error) from error


def connect(
    path: str | Path, *, mode: Literal["write", "read", "migrate"], busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> Connection:
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
    return Connection(connection, "BEGIN" if mode == "read" else "BEGIN IMMEDIATE")


def _use_wal(connection: Any, busy_timeout_ms: int) -> None:
    deadline = time.monotonic() + busy_timeout_ms / 1000
    while connection.execute("PRAGMA journal_mode").fetchall() != [("wal",)]:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except apsw.BusyError:  # SQLite itself does not wait when two want to change a new file's mode
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _pragmas(mode: Literal["write", "read", "migrate"]) -> list[str]:
    common = ["temp_store=MEMORY", f"foreign_keys={'OFF' if mode == 'migrate' else 'ON'}"]
    if mode == "read":
        return [*common, "query_only=ON"]
    # FULL and not NORMAL: with NORMAL a power cut can take commits that were already acknowledged.
    return [
        "synchronous=FULL",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        f"journal_size_limit={JOURNAL_LIMIT_BYTES}",
        *common,
    ]
