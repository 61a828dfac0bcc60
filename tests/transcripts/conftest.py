"""A migrated database on each engine."""

from tests.support.engines import database, database_url

__all__ = ["database", "database_url"]
