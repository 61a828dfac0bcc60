"""The table and statements of personal access tokens."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from stagedoor.people.nouns import PersonalAccessToken
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), nullable=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("last_used_at", BigInteger, nullable=True),
    Index("ix_access_tokens_user_id", "user_id", "id"),
)


def insert_token(tx: Transaction, token: PersonalAccessToken, digest: str) -> None:
    values = values_of(token) | {"scopes": " ".join(token.scopes), "digest": digest}
    tx.execute(insert(access_tokens).values(values))


def token_by_digest(tx: Transaction, digest: str) -> PersonalAccessToken | None:
    row = tx.execute(select(access_tokens).where(access_tokens.c.digest == digest)).first()
    return None if row is None else _token(row)


def tokens_of(tx: Transaction, user_id: str) -> list[PersonalAccessToken]:
    """Those of a user, the newest first."""
    query = select(access_tokens).where(access_tokens.c.user_id == user_id)
    return [_token(row) for row in tx.execute(query.order_by(access_tokens.c.id.desc()))]


def count_tokens(tx: Transaction, user_id: str) -> int:
    return tx.execute(select(func.count()).where(access_tokens.c.user_id == user_id)).scalar() or 0


def touch_token(tx: Transaction, token_id: str, now: int) -> None:
    tx.execute(update(access_tokens).where(access_tokens.c.id == token_id).values(last_used_at=now))


def delete_token(tx: Transaction, user_id: str, token_id: str) -> bool:
    """False when the user has no such token."""
    own = (access_tokens.c.user_id == user_id) & (access_tokens.c.id == token_id)
    return tx.execute(delete(access_tokens).where(own)).rowcount > 0


def delete_tokens(tx: Transaction, user_id: str, organisation_id: str | None = None) -> None:
    """Delete all of a user, or those that act in one organisation."""
    condition = access_tokens.c.user_id == user_id
    if organisation_id is not None:
        condition &= access_tokens.c.organisation_id == organisation_id
    tx.execute(delete(access_tokens).where(condition))


def _token(row: Row[*tuple[object, ...]]) -> PersonalAccessToken:
    values = record(row)
    del values["digest"]
    values["scopes"] = tuple(values["scopes"].split())
    return PersonalAccessToken(**values)
