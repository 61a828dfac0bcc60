"""The table of answers that are kept for repeated requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record

answers = Table(
    "idempotency_answers",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("status", Integer, nullable=True),
    Column("media_type", Text, nullable=True),
    Column("sealed_body", LargeBinary, nullable=True),
    Index("ix_idempotency_answers_created_at", "created_at"),
)

_ROW_BYTES: Final = 400
"""What a row takes beside the answer: keys, fingerprint, times, indexes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a request. `status` is `None` while it is being answered."""

    fingerprint: str
    created_at: int
    status: int | None
    media_type: str | None
    sealed_body: bytes | None


def find(tx: Transaction, key_id: str, key: str) -> Kept | None:
    row = tx.execute(
        select(
            answers.c.fingerprint,
            answers.c.created_at,
            answers.c.status,
            answers.c.media_type,
            answers.c.sealed_body,
        ).where(answers.c.key_id == key_id, answers.c.idempotency_key == key)
    ).first()
    return None if row is None else Kept(**record(row))


def begin(tx: Transaction, key_id: str, key: str, fingerprint: str, now: int) -> None:
    """Note that the request is being answered; on PostgreSQL a second one at the same time breaks on the key."""
    tx.execute(insert(answers).values(key_id=key_id, idempotency_key=key, fingerprint=fingerprint, created_at=now))


def finish(tx: Transaction, key_id: str, key: str, status: int, media_type: str, sealed_body: bytes | None) -> None:
    tx.execute(
        update(answers)
        .where(answers.c.key_id == key_id, answers.c.idempotency_key == key)
        .values(status=status, media_type=media_type, sealed_body=sealed_body)
    )


def forget(tx: Transaction, key_id: str, key: str) -> None:
    tx.execute(delete(answers).where(answers.c.key_id == key_id, answers.c.idempotency_key == key))


def delete_before(tx: Transaction, created_at: int) -> None:
    """Delete what was kept long enough."""
    tx.execute(delete(answers).where(answers.c.created_at < created_at))


def size_of(sealed_body: bytes | None) -> int:
    """Bytes that an answer takes, about."""
    return _ROW_BYTES + len(sealed_body or b"")


def trim(tx: Transaction, key_id: str, most: int) -> None:
    """Delete the oldest answers of an API key, so that the rest has `most` bytes, about."""
    size = _ROW_BYTES + func.coalesce(func.length(answers.c.sealed_body), 0)
    newest_first = (answers.c.created_at.desc(), answers.c.idempotency_key)
    finished = (answers.c.key_id == key_id, answers.c.status.is_not(None))
    sums = select(answers.c.created_at, func.sum(size).over(order_by=newest_first).label("total")).where(*finished)
    summed = sums.subquery()
    too_old = select(func.max(summed.c.created_at)).where(summed.c.total > most).scalar_subquery()
    tx.execute(delete(answers).where(*finished, answers.c.created_at <= too_old))
