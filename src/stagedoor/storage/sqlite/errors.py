"""The errors of PEP 249, and which of them each of SQLite's result codes is."""

from __future__ import annotations

from typing import Final

import apsw


class Error(Exception):
    """Anything SQLite or apsw reports.

    Attributes:
        code: SQLite's primary result code, 0 when the error is not SQLite's.
    """

    def __init__(self, message: str = "", code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class InterfaceError(Error):
    """The interface was used wrongly."""


class DatabaseError(Error):
    """The database reported it."""


class DataError(DatabaseError):
    """A value does not fit."""


class OperationalError(DatabaseError):
    """Something outside the statement: a lock, the disk, a missing table."""


class IntegrityError(DatabaseError):
    """A constraint refused it."""


class InternalError(DatabaseError):
    """SQLite's own state is wrong."""


class ProgrammingError(DatabaseError):
    """The statement or its values are wrong."""


class NotSupportedError(DatabaseError):
    """Required by PEP 249; never raised."""


_CLASSES: Final[dict[int, type[Error]]] = {
    apsw.SQLITE_CONSTRAINT: IntegrityError,
    apsw.SQLITE_MISMATCH: IntegrityError,
    apsw.SQLITE_TOOBIG: DataError,
    apsw.SQLITE_INTERNAL: InternalError,
    apsw.SQLITE_NOTFOUND: InternalError,
    apsw.SQLITE_CORRUPT: DatabaseError,
    apsw.SQLITE_NOTADB: DatabaseError,
    apsw.SQLITE_MISUSE: ProgrammingError,
    apsw.SQLITE_RANGE: ProgrammingError,
}

RAISED: Final = (apsw.Error, TypeError, UnicodeError, OverflowError)
"""What apsw raises for a statement and its values."""


def translated(error: Exception) -> Error:
    """The PEP 249 error for one of apsw's, or for a value that cannot be bound."""
    code = int(getattr(error, "result", 0) or 0) & 0xFF
    if code == 0:  # apsw's own: wrong number of values, a closed connection, the wrong thread
        return ProgrammingError(str(error))
    return _CLASSES.get(code, OperationalError)(str(error), code)
