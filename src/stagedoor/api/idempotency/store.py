"""The table of answers that are kept for repeated requests."""

from __future__ import annotations

from dataclasses import dataclass

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


def finish(tx: Transaction, key_id: str, key: str, status: int, media_type: str, sealed_body: bytes) -> None:
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
