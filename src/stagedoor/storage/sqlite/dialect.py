"""SQLAlchemy's SQLite dialect on our driver."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.pool import NullPool

from stagedoor.storage.guard import watch
from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.connection import Mode
from stagedoor.storage.types import decode_json, encode_json


class StagedoorSQLite(SQLiteDialect):
    """`sqlite+stagedoor`: SQLite through `dbapi`, with transactions that really begin."""

    driver = "stagedoor"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    returns_native_bytes = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return dbapi

    def create_connect_args(self, url: URL) -> Any:
        return [url.database], {}

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.begin()

    def _get_server_version_info(self, connection: Any) -> Any:
        return dbapi.sqlite_version_info


registry.register("sqlite.stagedoor", __name__, StagedoorSQLite.__name__)


def make_engine(path: str, mode: Mode) -> Engine:
    """An engine whose connections are opened for `mode` and belong to the code that asks for them."""
    engine = create_engine(
        URL.create("sqlite+stagedoor", database=path),
        connect_args={"mode": mode},
        poolclass=NullPool,
        json_serializer=encode_json,
        json_deserializer=decode_json,
    )
    watch(engine)
    return engine
