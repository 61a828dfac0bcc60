"""The pool of connections that transactions run on."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from stagedoor.storage.guard import watch
from stagedoor.storage.postgres.connect import Wire, connect
from stagedoor.storage.types import decode_json, encode_json

POOL_TIMEOUT_S: Final = 10.0
STATEMENT_TIMEOUT_S: Final = 35.0
"""Longer than the server's own limit: it ends what a dead network would leave waiting indefinitely."""


def make_engine(url: str, connections: int) -> AsyncEngine:
    """An engine with at most so many connections to the server at `url`, a libpq URL."""

    async def creator() -> Wire:
        return await connect(url, command_timeout=STATEMENT_TIMEOUT_S)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=creator,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        json_serializer=encode_json,
        json_deserializer=decode_json,
    )
    # Not pool_pre_ping, which asks the server with three round trips: a server that ended closed its sockets,
    # and asyncpg knows of it.
    event.listen(engine.sync_engine.pool, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _give_up_broken)
    watch(engine.sync_engine)
    return engine


def _give_up_broken(context: ExceptionContext) -> None:
    cause = context.original_exception.__cause__
    if isinstance(cause, asyncpg.InternalClientError | TimeoutError):  # it is not closed yet, but of no use
        context.is_disconnect = True


def _refuse_closed(dbapi_connection: Any, record: Any, proxy: Any) -> None:
    if dbapi_connection.driver_connection.is_closed():
        raise InvalidatePoolError  # all that are older go too: they were on the same server
