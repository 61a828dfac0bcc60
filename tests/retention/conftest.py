"""A migrated database on each engine."""

from tests.support.engines import database

__all__ = ["database"]
