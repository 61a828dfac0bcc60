"""`INSERT … ON CONFLICT …`, which both engines write in the same way."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert


def upsert(table: Table) -> Insert:
    """An insert with `on_conflict_do_update` and `on_conflict_do_nothing`, for either engine.

    SQLAlchemy has one class for each; SQLite took the syntax from PostgreSQL, and its compiler takes that one's.
    """
    return insert(table)
