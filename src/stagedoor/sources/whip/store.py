"""The table of WHIP sessions: any node can trickle to a session, restart it or end it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, Text, delete, insert, or_, select, update

from stagedoor.sources.ingress.store import ingresses, states
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import values_of

whip_sessions = Table(
    "whip_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("ingress_id", String(40), ForeignKey(ingresses.c.id, ondelete="CASCADE"), nullable=False, unique=True),
    Column("publication", String(40), nullable=False),
    Column("participant_sid", Text, nullable=False),
    Column("mid", Text, nullable=False),
    Column("ice_ufrag", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class WhipSession:
    """A session of an encoder.

    Attributes:
        digest: The hash of the last part of the session's URL.
        publication: The publication of the ingress that the session is.
        participant_sid: LiveKit's id of its participant.
        mid: The media section that carries the transport of the bundle.
        ice_ufrag: The encoder's ICE user name fragment.
        etag: LiveKit's id of the ICE session.
        created_at: Milliseconds since the epoch.
    """

    digest: str
    ingress_id: str
    publication: str
    participant_sid: str
    mid: str
    ice_ufrag: str
    etag: str
    created_at: int


def save_session(tx: Transaction, session: WhipSession) -> None:
    """Insert a session in the place of an earlier one of its ingress."""
    tx.execute(delete(whip_sessions).where(whip_sessions.c.ingress_id == session.ingress_id))
    tx.execute(insert(whip_sessions).values(values_of(session)))


def find_session(tx: Transaction, digest: str) -> WhipSession | None:
    row = tx.execute(select(whip_sessions).where(whip_sessions.c.digest == digest)).first()
    return None if row is None else WhipSession(*row)


def set_ice_session(tx: Transaction, digest: str, *, etag: str, ice_ufrag: str) -> None:
    """Store what an ICE restart has led to."""
    values = {"etag": etag, "ice_ufrag": ice_ufrag}
    tx.execute(update(whip_sessions).where(whip_sessions.c.digest == digest).values(values))


def delete_session(tx: Transaction, publication: str) -> None:
    """Delete the session of a publication that is over."""
    tx.execute(delete(whip_sessions).where(whip_sessions.c.publication == publication))


def list_left_over(tx: Transaction) -> list[WhipSession]:
    """The sessions whose publication is over for the tables: its node was killed, or another one has its place."""
    query = (
        select(whip_sessions)
        .select_from(whip_sessions.outerjoin(states, states.c.ingress_id == whip_sessions.c.ingress_id))
        .where(
            or_(
                states.c.publication.is_(None),
                states.c.publication != whip_sessions.c.publication,
                states.c.lease_until.is_(None),
            )
        )
    )
    return [WhipSession(*row) for row in tx.execute(query)]
