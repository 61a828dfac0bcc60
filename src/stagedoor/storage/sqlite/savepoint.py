"""Savepoints on the driver's connection."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from stagedoor.storage.guard import forgive
from stagedoor.storage.sqlite import dbapi


@contextmanager
def savepoint(connection: Connection, driver: dbapi.Connection) -> Generator[None]:
    """What is done inside is undone when it raises; savepoints inside of one another are SQLite's own stack.

    Raises:
        sqlalchemy.exc.DBAPIError: SQLite has given the transaction up, as it may on a full disk.
    """
    _run(driver, "SAVEPOINT part")
    try:
        yield
    except BaseException:
        if driver.in_transaction:  # or SQLite has undone everything by itself
            _run(driver, "ROLLBACK TO part; RELEASE part")
            forgive(connection)
        raise
    _run(driver, "RELEASE part")


def _run(driver: dbapi.Connection, sql: str) -> None:
    try:
        driver.run(sql)
    except dbapi.Error as error:
        raise DBAPIError.instance(sql, None, error, dbapi.Error) from error
