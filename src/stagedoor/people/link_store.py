"""The table and statements of account links."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, delete, insert, select

from stagedoor.people.nouns import AccountLink
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of

account_links = Table(
    "account_links",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("purpose", String(12), nullable=False),
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_account_links_user_id", "user_id"),
    Index("ix_account_links_expires_at", "expires_at"),
)


def insert_link(tx: Transaction, link: AccountLink, digest: str) -> None:
    tx.execute(insert(account_links).values(values_of(link) | {"digest": digest}))


def link_by_digest(tx: Transaction, digest: str) -> AccountLink | None:
    row = tx.execute(select(account_links).where(account_links.c.digest == digest)).first()
    if row is None:
        return None
    values = record(row)
    del values["digest"]
    return AccountLink(**values)


def delete_link(tx: Transaction, link_id: str) -> bool:
    """False when another transaction has deleted it: of two who use a link at once, one succeeds."""
    return tx.execute(delete(account_links).where(account_links.c.id == link_id)).rowcount > 0


def delete_links_of(tx: Transaction, user_id: str) -> None:
    """Delete those that set the password of a user."""
    tx.execute(delete(account_links).where(account_links.c.user_id == user_id))


def delete_expired(tx: Transaction, before: int, limit: int) -> int:
    """Delete links that ended before a time, in a bounded batch; how many."""
    ids = list(tx.execute(select(account_links.c.id).where(account_links.c.expires_at < before).limit(limit)).scalars())
    tx.execute(delete(account_links).where(account_links.c.id.in_(ids)))
    return len(ids)
