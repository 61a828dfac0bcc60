"""The database: transactions for verbs, a bulk lane for what comes in fast, migrations, and no domain words.

One interface over SQLite (one machine) and PostgreSQL (several); what holds on one holds on the other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stagedoor.storage.cache import GenerationCache
    from stagedoor.storage.database import BulkInsert, Counters, Database
    from stagedoor.storage.migration import migrate, upgrade
    from stagedoor.storage.opening import open_database
    from stagedoor.storage.prepared import Prepared
    from stagedoor.storage.transaction import Transaction
    from stagedoor.storage.types import Json, Milliseconds, RowId, metadata, row_id
    from stagedoor.storage.upserts import upsert

__all__ = [
    "BulkInsert",
    "Counters",
    "Database",
    "GenerationCache",
    "Json",
    "Milliseconds",
    "Prepared",
    "RowId",
    "Transaction",
    "metadata",
    "migrate",
    "open_database",
    "row_id",
    "upgrade",
    "upsert",
]

_MODULES: Final = {
    "GenerationCache": "cache",
    "BulkInsert": "database",
    "Counters": "database",
    "Database": "database",
    "migrate": "migration",
    "upgrade": "migration",
    "open_database": "opening",
    "Prepared": "prepared",
    "Transaction": "transaction",
    "Json": "types",
    "Milliseconds": "types",
    "RowId": "types",
    "metadata": "types",
    "row_id": "types",
    "upsert": "upserts",
}


def __getattr__(name: str) -> Any:
    """One of the names above, imported on demand: a reader of the settings of this folder needs no database."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"stagedoor.storage.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
