"""Writes that find or make a row which another transaction may make at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import IntegrityError

from stagedoor.storage.database import Database
from stagedoor.storage.transaction import Transaction

T = TypeVar("T")
_ATTEMPTS: Final = 3


async def write_retrying_conflicts(database: Database, work: Callable[[Transaction], T]) -> T:
    """`database.write`, again when a unique constraint says that another transaction was first.

    On PostgreSQL two transactions may both find no row and both insert it; the second look finds the first one's. On
    SQLite there is one writer and it cannot happen.

    Raises:
        sqlalchemy.exc.IntegrityError: The constraint refuses the row for another reason.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await database.write(work)
        except IntegrityError:
            continue
    return await database.write(work)
