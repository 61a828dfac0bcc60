"""The table and statements of sign-in sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Row, String, Table, Text, delete, insert, select, update

from stagedoor.people.nouns import SignInSession
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of

sign_in_sessions = Table(
    "sign_in_sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Index("ix_sign_in_sessions_user_id", "user_id", "id"),
    Index("ix_sign_in_sessions_last_used_at", "last_used_at"),
)


def insert_session(tx: Transaction, session: SignInSession, digest: str) -> None:
    tx.execute(insert(sign_in_sessions).values(values_of(session) | {"digest": digest}))


def session_by_digest(tx: Transaction, digest: str) -> SignInSession | None:
    row = tx.execute(select(sign_in_sessions).where(sign_in_sessions.c.digest == digest)).first()
    return None if row is None else _session(row)


def sessions_of(tx: Transaction, user_id: str) -> list[SignInSession]:
    """Those of a user, the newest first."""
    query = select(sign_in_sessions).where(sign_in_sessions.c.user_id == user_id)
    return [_session(row) for row in tx.execute(query.order_by(sign_in_sessions.c.id.desc()))]


def touch_session(tx: Transaction, session_id: str, now: int) -> None:
    tx.execute(update(sign_in_sessions).where(sign_in_sessions.c.id == session_id).values(last_used_at=now))


def delete_session(tx: Transaction, user_id: str, session_id: str) -> bool:
    """False when the user has no such session."""
    own = (sign_in_sessions.c.user_id == user_id) & (sign_in_sessions.c.id == session_id)
    return tx.execute(delete(sign_in_sessions).where(own)).rowcount > 0


def delete_sessions(tx: Transaction, user_id: str, *, but: str | None = None) -> int:
    """Delete all of a user, but one; how many."""
    condition = sign_in_sessions.c.user_id == user_id
    if but is not None:
        condition &= sign_in_sessions.c.id != but
    return tx.execute(delete(sign_in_sessions).where(condition)).rowcount


def delete_unused(tx: Transaction, before: int, limit: int) -> int:
    """Delete sessions that were last used before a time, in a bounded batch; how many."""
    due = select(sign_in_sessions.c.id).where(sign_in_sessions.c.last_used_at < before).limit(limit)
    ids = list(tx.execute(due).scalars())
    tx.execute(delete(sign_in_sessions).where(sign_in_sessions.c.id.in_(ids)))
    return len(ids)


def _session(row: Row[*tuple[object, ...]]) -> SignInSession:
    values = record(row)
    del values["digest"]
    return SignInSession(**values)
