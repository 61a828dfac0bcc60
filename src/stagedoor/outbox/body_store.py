"""The table of bodies: what is sent for an event, stored once for all of the event's deliveries.

A body is stored with the first delivery of its event and deleted with the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, select

from stagedoor.storage import Transaction, metadata, upsert

bodies = Table(
    "webhook_bodies",
    metadata,
    Column("event_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_webhook_bodies_app_id", "app_id"),
)

_INSERT: Final = upsert(bodies).on_conflict_do_nothing(index_elements=["event_seq"])


def insert_bodies(tx: Transaction, app_id: str, new: Mapping[int, bytes]) -> None:
    """Store what is sent for events, given by their numbers, unless it is there."""
    if new:
        tx.execute(_INSERT, [{"event_seq": seq, "app_id": app_id, "body": body} for seq, body in new.items()])


def body_of(tx: Transaction, event_seq: int) -> bytes | None:
    """What is sent for the event; `None` when no delivery of it is left."""
    return tx.execute(select(bodies.c.body).where(bodies.c.event_seq == event_seq)).scalar()
