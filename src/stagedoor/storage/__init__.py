"""The database: transactions for verbs, a bulk lane for what comes in fast, migrations, and no domain words.

One interface over SQLite (one machine) and PostgreSQL (several); what holds on one holds on the other.
"""

from stagedoor.storage.cache import GenerationCache
from stagedoor.storage.database import BulkInsert, Counters, Database
from stagedoor.storage.migration import migrate, upgrade
from stagedoor.storage.opening import open_database
from stagedoor.storage.prepared import Prepared
from stagedoor.storage.transaction import Transaction
from stagedoor.storage.types import Json, Milliseconds, RowId, metadata, row_id
from stagedoor.storage.upsert import upsert

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
