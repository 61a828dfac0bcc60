"""Which of an engine's errors mean "not now"; PostgreSQL's driver is imported only where it is used."""

from __future__ import annotations

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.storage.sqlite import faults as sqlite
from stagedoor.storage.transaction import Dialect


def unavailable(dialect: Dialect, error: BaseException) -> str | None:
    """The sentence for an error that is the database's and not the statement's; None for all others."""
    if dialect == "sqlite":
        return sqlite.unavailable(error)
    from stagedoor.storage.postgres import faults as postgres

    return postgres.unavailable(error)


def raise_unavailable(dialect: Dialect, error: Exception) -> None:
    """Raise `StorageUnavailable` for an error that is the database's; return for all others."""
    sentence = unavailable(dialect, error)
    if sentence is None:
        return
    if dialect == "sqlite":
        raise StorageUnavailable(sentence) from error
    from stagedoor.storage.postgres.faults import LASTING

    raise StorageUnavailable(sentence, lasting=sentence in LASTING) from error
