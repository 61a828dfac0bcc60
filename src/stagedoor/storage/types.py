"""Column types and the metadata that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData
from sqlalchemy.dialects.postgresql import JSONB

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: Final = MetaData(naming_convention=NAMING)
"""Every table of the product; the names it gives to constraints are the ones migrations refer to."""

Json: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document, written and read by msgspec. Python's `None` is SQL's NULL."""

Milliseconds: Final = BigInteger()
"""An instant or a duration in whole milliseconds; an instant counts from 1970-01-01 UTC."""

RowId: Final = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both. SQLite numbers rows by itself only in a column declared INTEGER PRIMARY KEY."""


def row_id(name: str = "id") -> Column[int]:
    """A primary key that the database counts up.

    SQLite gives the number of a deleted last row to the next one unless the table says
    `sqlite_autoincrement=True`. On PostgreSQL numbers are taken before the commit, so a lower number may
    appear after a higher one.
    """
    return Column(name, RowId, primary_key=True, autoincrement=True)


def encode_json(value: Any) -> str:
    """The JSON text of `value`, for an engine's `json_serializer`."""
    return msgspec.json.encode(value).decode()


def decode_json(text: str | bytes) -> Any:
    """The value of a JSON text, for an engine's `json_deserializer`."""
    return msgspec.json.decode(text)
