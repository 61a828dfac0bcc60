"""Cursors and connections as PEP 249 has them, over apsw's.

They differ from those of `sqlite3` in two ways: nothing begins by itself, and a result is read whole when its
statement is executed, so that no half-read statement holds back a commit, a rollback or a checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import apsw

from stagedoor.storage.sqlite.errors import RAISED, translated

Values = Sequence[Any] | Mapping[str, Any]
Mode = Literal["write", "read", "migrate"]

STATEMENT_S: Final = 30.0
"""How long a callback's statement may run, as on PostgreSQL: the one writer would stand still for all callers."""
PROGRESS_STEPS: Final = 1_000_000
"""SQLite's instructions, some ten milliseconds of them, between two looks at the clock."""


class Cursor:
    """One statement and the rows it gave."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor: Any = apsw.Cursor(connection.apsw)
        self._cursor.exec_trace = self._trace
        self._closed = False
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
        self._connection.deadline = time.monotonic() + STATEMENT_S
        try:
            self._rows = run(sql, values).fetchall()
        except RAISED as error:
            self.close()  # a statement that could not be bound would keep the file from closing
            raise translated(error) from error
        finally:
            self._connection.deadline = math.inf
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
        """Forget the rows; a second call does nothing."""
        self._rows = []
        if not self._closed:
            self._closed = True
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
        deadline: When, on the monotonic clock, SQLite is to interrupt what it does.
    """

    def __init__(self, connection: apsw.Connection, mode: Mode) -> None:
        self.apsw: Any = connection  # its stubs name types that the type checker does not know on Python 3.11
        self.deadline = math.inf
        self._begin = "BEGIN" if mode == "read" else "BEGIN IMMEDIATE"
        if mode != "migrate":
            self.apsw.set_progress_handler(self._is_late, PROGRESS_STEPS)

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline

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
