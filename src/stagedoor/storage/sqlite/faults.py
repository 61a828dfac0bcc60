"""Which of SQLite's errors mean "not now", and the sentence for the operator for each."""

from __future__ import annotations

from typing import Final

import apsw
from sqlalchemy.exc import DBAPIError

from stagedoor.storage.sqlite import dbapi

GAVE_UP: Final = "The database gave the transaction up. Nothing was changed; try again."
_BUSY: Final = "The database is locked by another program. Nothing was changed; try again."
_BROKEN: Final = "The database file is damaged or is not a database. Restore it from a backup."

_SENTENCES: Final[dict[int, str]] = {
    apsw.SQLITE_BUSY: _BUSY,
    apsw.SQLITE_LOCKED: _BUSY,
    apsw.SQLITE_PROTOCOL: _BUSY,
    apsw.SQLITE_FULL: "The disk under the database is full. Nothing was changed; free some space.",
    apsw.SQLITE_IOERR: "The disk under the database reported an error. Nothing was changed; look at it.",
    apsw.SQLITE_READONLY: "The database cannot be written: its file or disk is read-only.",
    apsw.SQLITE_PERM: "The database cannot be written: its file does not permit it.",
    apsw.SQLITE_CANTOPEN: "The database file cannot be opened. See that it is there and may be written.",
    apsw.SQLITE_NOMEM: "There is not enough memory for the database. Nothing was changed; try again.",
    apsw.SQLITE_INTERRUPT: "The database took too long for this. Nothing was changed; try again with less.",
    apsw.SQLITE_CORRUPT: _BROKEN,
    apsw.SQLITE_NOTADB: _BROKEN,
}


def unavailable(error: BaseException, *, reading: bool = False) -> str | None:
    """The sentence for an error that is the database's and not the statement's; None for all others.

    Args:
        error: What SQLAlchemy or the driver raised.
        reading: Whether it was in a read: then an attempt to write is the caller's fault.
    """
    if isinstance(error, DBAPIError):
        error = error.orig or error
    if isinstance(error, MemoryError):
        return _SENTENCES[apsw.SQLITE_NOMEM]
    if not isinstance(error, dbapi.Error) or (reading and error.code == apsw.SQLITE_READONLY):
        return None
    return _SENTENCES.get(error.code)


def for_operator(error: dbapi.Error) -> bool:
    """Whether waiting does not help: an operator has to act on the file."""
    return error.code in {
        apsw.SQLITE_READONLY,
        apsw.SQLITE_PERM,
        apsw.SQLITE_CANTOPEN,
        apsw.SQLITE_CORRUPT,
        apsw.SQLITE_NOTADB,
    }
