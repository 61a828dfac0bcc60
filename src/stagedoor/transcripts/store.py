"""The tables of transcripts."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)

from stagedoor.storage import Transaction, metadata, upsert
from stagedoor.storage.records import record, values_of
from stagedoor.storage.types import row_id
from stagedoor.transcripts.nouns import Segment, Transcript

transcripts = Table(
    "transcripts",
    metadata,
    Column("session_id", String(40), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(10), nullable=False),
    Column("chat", Boolean, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("joined_at", BigInteger, nullable=True),
    Column("ended_at", BigInteger, nullable=True),
    Column("archived_at", BigInteger, nullable=True),
    Column("interruptions", Integer, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Index("ix_transcripts_app_id", "app_id", "ended_at"),
)

segments = Table(
    "transcript_segments",
    metadata,
    row_id("seq"),
    Column("session_id", String(40), ForeignKey("transcripts.session_id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(6), nullable=False),
    Column("speaker", Text, nullable=False),
    Column("segment_id", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("track_sid", String(64), nullable=True),
    Column("language", String(35), nullable=True),
    Column("text", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    UniqueConstraint("session_id", "speaker", "kind", "segment_id", name="uq_transcript_segments_segment"),
)


def insert_transcript(tx: Transaction, transcript: Transcript) -> None:
    tx.execute(insert(transcripts).values(values_of(transcript)))


def update_transcript(tx: Transaction, transcript: Transcript) -> None:
    tx.execute(
        update(transcripts).where(transcripts.c.session_id == transcript.session_id).values(values_of(transcript))
    )


def transcript_of(tx: Transaction, session_id: str, *, locked: bool = False) -> Transcript | None:
    """The session's transcript; `locked` until the transaction ends, by one that means to change it."""
    query = select(transcripts).where(transcripts.c.session_id == session_id)
    if locked:
        query = query.with_for_update()
    row = tx.execute(query).first()
    return None if row is None else Transcript(**record(row))


def delete_transcript(tx: Transaction, session_id: str) -> bool:
    """Delete it with its segments; False when there is none."""
    tx.execute(delete(segments).where(segments.c.session_id == session_id))
    return tx.execute(delete(transcripts).where(transcripts.c.session_id == session_id)).rowcount > 0


def due(tx: Transaction, app_id: str, ended_before: int, limit: int) -> list[str]:
    """Sessions whose transcripts ended before and are not being recorded; the oldest first."""
    query = (
        select(transcripts.c.session_id)
        .where(
            transcripts.c.app_id == app_id, transcripts.c.ended_at < ended_before, transcripts.c.state != "recording"
        )
        .order_by(transcripts.c.ended_at)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


def save_segments(tx: Transaction, session_id: str, new_segments: Collection[Segment]) -> None:
    """Store segments; one that is there already is replaced, but never final text by interim text."""
    if not new_segments:
        return
    rows = [values_of(segment) | {"session_id": session_id} for segment in new_segments]
    statement = upsert(segments).values(rows)
    new = statement.excluded
    changed = ("name", "track_sid", "language", "text", "final", "ended_at")
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["session_id", "speaker", "kind", "segment_id"],
            set_={name: new[name] for name in changed},
            where=(new.final | ~segments.c.final),
        )
    )


def segments_of(tx: Transaction, session_id: str) -> list[Segment]:
    """Every segment in the order in which they began."""
    names = [segments.c[name] for name in Segment.__dataclass_fields__]
    query = select(*names).where(segments.c.session_id == session_id)
    rows = tx.execute(query.order_by(segments.c.started_at, segments.c.seq))
    return [Segment(**record(row)) for row in rows]


def count_segments(tx: Transaction, session_id: str) -> int:
    query = select(func.count()).select_from(segments).where(segments.c.session_id == session_id)
    return tx.execute(query).scalar() or 0
