"""A database of each engine with every table."""

from tests.support.engines import database, database_url

__all__ = ["database", "database_url"]
