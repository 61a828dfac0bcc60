"""What a verb may not do with its transaction, on both engines: end it, or go on after a swallowed error.

PostgreSQL aborts the transaction at the first error, and answers the COMMIT that follows with a silent
ROLLBACK: the caller would believe that its work was stored. SQLite goes on. So that a laptop shows what
production would do, both refuse.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

_GUARDED: Final = "stagedoor.guarded"
_FAILED: Final = "stagedoor.failed"


def watch(engine: Engine) -> None:
    """Make `guarded` work on the connections of an engine; costs nothing where nothing goes wrong."""
    event.listen(engine, "commit", _refuse_to_end)
    event.listen(engine, "rollback", _refuse_to_end)
    event.listen(engine, "handle_error", _remember)
    event.listen(engine, "rollback_savepoint", _forget)


@contextmanager
def guarded(connection: Connection) -> Generator[None]:
    """The time in which a verb has the connection.

    Raises:
        RuntimeError: The verb ended the transaction, or went on after an error outside a savepoint.
    """
    info = connection.info
    info[_GUARDED] = True
    info.pop(_FAILED, None)
    try:
        yield
        while nested := connection.get_nested_transaction():
            nested.rollback()  # begun and forgotten: the next verb would find itself inside
        if error := info.get(_FAILED):
            raise RuntimeError("a callback went on after a failed statement; it must use savepoint()") from error
    finally:
        info.pop(_GUARDED, None)


def mark_failed(connection: Connection, error: DBAPIError) -> None:
    """A statement that SQLAlchemy did not run has failed, so it could not be noticed."""
    if not connection.invalidated:  # one that the server cut has no `info` any more
        connection.info[_FAILED] = error


def clear_failure(connection: Connection) -> None:
    """What failed has been undone by a savepoint that SQLAlchemy does not know of."""
    if not connection.invalidated:
        connection.info.pop(_FAILED, None)


def _refuse_to_end(connection: Connection) -> None:
    # One that the server cut has no `info` any more, and must be rolled back to be given up.
    if not connection.invalidated and connection.info.get(_GUARDED):
        raise RuntimeError("a callback does not commit or roll back: its caller does")


def _remember(context: ExceptionContext) -> None:
    connection, error = context.connection, context.sqlalchemy_exception
    if connection is not None and not connection.invalidated and isinstance(error, DBAPIError):
        connection.info[_FAILED] = error


def _forget(connection: Connection, name: str, context: Any) -> None:
    if not connection.invalidated:
        connection.info.pop(_FAILED, None)
