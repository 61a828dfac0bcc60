"""One thread's connection: made when it is needed, dropped when it failed, made again."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from stagedoor.storage.sqlite import dbapi


class Link:
    """A SQLAlchemy connection and the driver's connection under it, used by one thread only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._driver: dbapi.Connection | None = None

    def open(self) -> tuple[Connection, dbapi.Connection]:
        """The connection, opened if it is not.

        Raises:
            sqlalchemy.exc.DBAPIError: It cannot be opened.
        """
        if self._connection is None or self._driver is None:
            self._connection = self._engine.connect()
            self._driver = cast("dbapi.Connection", self._connection.connection.driver_connection)
        return self._connection, self._driver

    def drop(self) -> None:
        """Close it. A fresh connection is the one state known to be good after SQLite or the disk failed."""
        connection = self._connection
        self._connection = self._driver = None
        if connection is not None:
            with suppress(SQLAlchemyError, dbapi.Error):
                connection.invalidate()
            with suppress(SQLAlchemyError, dbapi.Error):
                connection.close()
