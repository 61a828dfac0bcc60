"""Savepoints on the driver's connection. What is done inside is undone when it raises; those inside of one another are
the engine's own stack."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from stagedoor.storage.guard import clear_failure
from stagedoor.storage.prepared import run_on_postgresql
from stagedoor.storage.sqlite import dbapi


@contextmanager
def on_sqlite(connection: Connection, driver: dbapi.Connection) -> Generator[None]:
    """A savepoint.

    Raises:
        sqlalchemy.exc.DBAPIError: SQLite has given the transaction up, as it may on a full disk.
    """
    _run(driver, "SAVEPOINT part")
    try:
        yield
    except BaseException:
        if driver.in_transaction:  # or SQLite has undone everything by itself
            _run(driver, "ROLLBACK TO part; RELEASE part")
            clear_failure(connection)
        raise
    _run(driver, "RELEASE part")


@contextmanager
def on_postgresql(connection: Connection) -> Generator[None]:
    """A savepoint.

    Raises:
        sqlalchemy.exc.DBAPIError: The connection was lost.
    """
    run_on_postgresql(connection, "SAVEPOINT part")
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            run_on_postgresql(connection, "ROLLBACK TO SAVEPOINT part")
            run_on_postgresql(connection, "RELEASE SAVEPOINT part")
            clear_failure(connection)
        raise
    run_on_postgresql(connection, "RELEASE SAVEPOINT part")


def _run(driver: dbapi.Connection, sql: str) -> None:
    try:
        driver.run(sql)
    except dbapi.Error as error:
        raise DBAPIError.instance(sql, None, error, dbapi.Error) from error
