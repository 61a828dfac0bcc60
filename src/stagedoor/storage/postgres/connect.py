"""How a connection to PostgreSQL is made, for the pool and for the bulk lane alike."""

from __future__ import annotations

from typing import Any, Final, Protocol

import asyncpg

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.postgres.faults import FAILURES, LASTING, UNREACHABLE, unavailable

CONNECT_TIMEOUT_S: Final = 5.0
SETTINGS: Final = {
    "application_name": "stagedoor",
    "lock_timeout": "5s",  # as long as SQLite waits for a lock
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "jit": "off",  # our statements are short; compiling one costs more than running it
}


class Wire(Protocol):
    """What we use of asyncpg's connection, which is not typed."""

    async def fetch(self, query: str, *args: Any, timeout: float) -> list[Any]: ...  # noqa: ASYNC109 - theirs
    async def close(self, *, timeout: float) -> None: ...  # noqa: ASYNC109 - theirs
    def terminate(self) -> None: ...
    def is_closed(self) -> bool: ...


async def connect(url: str, **options: Any) -> Wire:
    """Connect to the database at `url`, a libpq URL.

    Raises:
        StorageUnavailable: It cannot be reached or refuses us.
    """
    untyped: Any = asyncpg
    try:
        return await untyped.connect(url, timeout=CONNECT_TIMEOUT_S, server_settings=SETTINGS, **options)
    except FAILURES as error:
        sentence = UNREACHABLE if isinstance(error, OSError) else unavailable(error)
        raise StorageUnavailable(sentence or UNREACHABLE, lasting=sentence in LASTING) from error
