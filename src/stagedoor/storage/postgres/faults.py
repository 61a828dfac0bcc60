"""Which of PostgreSQL's errors mean "not now", and the sentence for the operator for each."""

from __future__ import annotations

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

FAILURES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises; the builtin TimeoutError, which asyncio's is, is an OSError."""

UNREACHABLE: Final = "The database cannot be reached. Try again."
UNKNOWN: Final = "The connection to the database was lost. Try again."
_BUSY: Final = "The database was busy with something in the way of this. Nothing was changed; try again."
_STOPPING: Final = "The database is starting or stopping. Nothing was changed; try again."
_CROWDED: Final = "The database has no connection to spare. Nothing was changed; try again."
_REFUSED: Final = "The database does not accept the user, the password or the database's name in its URL."
_FULL: Final = "The disk under the database is full. Nothing was changed; free some space."
READ_ONLY: Final = "The database cannot be written: it is a standby or set to read only."

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: Final[dict[str, str]] = {
    "40001": _BUSY,
    "40P01": _BUSY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "57P01": _STOPPING,
    "57P02": _STOPPING,
    "57P03": _STOPPING,
    "25P03": UNKNOWN,
    "25P04": UNKNOWN,
    "57P05": UNKNOWN,
    "53300": _CROWDED,
    "53100": _FULL,
    "28000": _REFUSED,
    "28P01": _REFUSED,
    "3D000": _REFUSED,
    "25006": READ_ONLY,
}
_BY_CLASS: Final[dict[str, str]] = {
    "08": UNKNOWN,
    "53": "The database has run out of something. Nothing was changed; look at its log.",
    "58": "The database's machine reported an error. Nothing was changed; look at its log.",
    "XX": "The database is damaged or has a fault. Nothing was changed; look at its log.",
}


LASTING: Final = frozenset({_REFUSED, _FULL, READ_ONLY})
"""What does not pass by itself."""


def unavailable(error: BaseException, *, reading: bool = False) -> str | None:
    """The sentence for an error that is the database's and not the statement's; None for all others.

    Args:
        error: What SQLAlchemy or asyncpg raised while it talked to the database.
        reading: Whether it was in a read: then an attempt to write is the caller's fault.
    """
    if isinstance(error, PoolTimeout):
        return _CROWDED
    if isinstance(error, OSError):  # TimeoutError is one
        return UNKNOWN
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return UNKNOWN
        error = (error.orig.__cause__ if error.orig else None) or error.orig or error
    if isinstance(error, asyncpg.PostgresError):
        state = str(getattr(error, "sqlstate", ""))
        if state == "25006" and reading:
            return None
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    # What asyncpg says between the server's notice that it ends the connection and the end of it.
    if isinstance(error, asyncpg.InternalClientError):
        return UNKNOWN
    # Its complaint about a connection that is gone, and not about a value that does not fit.
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
        return UNKNOWN
    return None
