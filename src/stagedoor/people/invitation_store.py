"""The table and statements of invitations."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Row, String, Table, delete, func, insert, select

from stagedoor.people.nouns import Invitation
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(10), nullable=False),
    Column("email", String(254), nullable=True),
    Column("invited_by", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_invitations_organisation_id", "organisation_id", "id"),
    Index("ix_invitations_expires_at", "expires_at"),
)


def insert_invitation(tx: Transaction, invitation: Invitation, digest: str) -> None:
    tx.execute(insert(invitations).values(values_of(invitation) | {"digest": digest}))


def invitation_by_digest(tx: Transaction, digest: str) -> Invitation | None:
    row = tx.execute(select(invitations).where(invitations.c.digest == digest)).first()
    return None if row is None else _invitation(row)


def find_invitation(tx: Transaction, organisation_id: str, invitation_id: str) -> Invitation | None:
    own = (invitations.c.organisation_id == organisation_id) & (invitations.c.id == invitation_id)
    row = tx.execute(select(invitations).where(own)).first()
    return None if row is None else _invitation(row)


def invitations_of(tx: Transaction, organisation_id: str, *, after: str | None, limit: int) -> list[Invitation]:
    query = select(invitations).where(invitations.c.organisation_id == organisation_id).order_by(invitations.c.id)
    if after is not None:
        query = query.where(invitations.c.id > after)
    return [_invitation(row) for row in tx.execute(query.limit(limit))]


def count_invitations(tx: Transaction, organisation_id: str) -> int:
    query = select(func.count()).where(invitations.c.organisation_id == organisation_id)
    return tx.execute(query).scalar() or 0


def delete_invitation(tx: Transaction, invitation_id: str) -> bool:
    """False when another transaction has deleted it: of two who accept one at once, one succeeds."""
    return tx.execute(delete(invitations).where(invitations.c.id == invitation_id)).rowcount > 0


def delete_expired(tx: Transaction, before: int, limit: int) -> int:
    """Delete invitations that ended before a time, in a bounded batch; how many."""
    ids = list(tx.execute(select(invitations.c.id).where(invitations.c.expires_at < before).limit(limit)).scalars())
    tx.execute(delete(invitations).where(invitations.c.id.in_(ids)))
    return len(ids)


def _invitation(row: Row[*tuple[object, ...]]) -> Invitation:
    values = record(row)
    del values["digest"]
    return Invitation(**values)
