"""The table of domain events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
)

from stagedoor.events.nouns import Event, FeedEvent, NewEvent
from stagedoor.kernel import tracing
from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import record
from stagedoor.storage.types import row_id

events = Table(
    "events",
    metadata,
    row_id("seq"),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("session_id", String(40), nullable=True),
    Column("livekit_room", Text, nullable=False),
    Column("type", String(40), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("trace", String(64), nullable=True),
    Index("ix_events_app_id", "app_id", "seq"),
    Index("ix_events_session_id", "session_id", "seq"),
    sqlite_autoincrement=True,  # a sequence number is never given twice, not even after a delete
)

_INSERT = Prepared(
    insert(events).values({column.name: bindparam(column.name) for column in events.c if column.name != "seq"})
)


def insert_events(tx: Transaction, new: Sequence[NewEvent]) -> None:
    """Store events, numbered in this order.

    On PostgreSQL two transactions could take numbers in one order and commit in the other, and a reader between the
    commits would miss one; a lock per app until the commit keeps both orders the same.
    """
    tx.lock("events", {event.app_id for event in new})
    trace = tracing.traceparent()
    tx.run_many(
        _INSERT,
        [
            {
                "app_id": event.app_id,
                "session_id": event.session_id,
                "livekit_room": event.livekit_room,
                "type": event.type,
                "origin": event.origin,
                "subject": event.subject,
                "detail": msgspec.json.encode(event.detail).decode() if event.detail else "{}",
                "at": event.at,
                "trace": event.trace or trace,
            }
            for event in new
        ],
    )


def events_after(tx: Transaction, app_id: str, seq: int, *, livekit_room: str | None, limit: int) -> list[Event]:
    """An app's events after `seq`, oldest first."""
    query = select(events).where(events.c.app_id == app_id, events.c.seq > seq).order_by(events.c.seq).limit(limit)
    if livekit_room is not None:
        query = query.where(events.c.livekit_room == livekit_room)
    return [_event(row) for row in tx.execute(query)]


_FEED_COLUMNS: Final = [events.c[name] for name in FeedEvent._fields]
_FIRST: Final = literal_column("0", Integer)  # or SQLAlchemy adds an OFFSET with a bound value of its own for SQLite
_FEED: Final = Prepared(
    select(*_FEED_COLUMNS)
    .where(events.c.app_id == bindparam("app_id"), events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=Integer))
    .offset(_FIRST)
)
_FEED_OF_ROOM: Final = Prepared(
    select(*_FEED_COLUMNS)
    .where(
        events.c.app_id == bindparam("app_id"),
        events.c.seq > bindparam("after"),
        events.c.livekit_room == bindparam("livekit_room"),
    )
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=Integer))
    .offset(_FIRST)
)


def feed_after(
    tx: Transaction, app_id: str, seq: int, livekit_room: str | None, *, limit: int
) -> tuple[int, list[FeedEvent]]:
    """An app's events after `seq`, oldest first, and the number up to which none is missing.

    With a room the number is that of the app's newest event, or a reader of a quiet room would never get past those of
    the others.
    """
    values = {"app_id": app_id, "after": seq, "most": limit}
    if livekit_room is None:
        found = [FeedEvent(*row) for row in tx.rows(_FEED, values)]
        return found[-1].seq if found else seq, found
    newest = last_seq(tx, app_id)  # before the rows, because on PostgreSQL more may come in between
    found = [FeedEvent(*row) for row in tx.rows(_FEED_OF_ROOM, values | {"livekit_room": livekit_room})]
    return found[-1].seq if len(found) == limit else max(newest, seq, found[-1].seq if found else 0), found


def events_since(tx: Transaction, app_id: str, since: int, *, after: int, limit: int) -> list[Event]:
    """An app's events of `since` or later, by their time, and with a number above `after`."""
    query = select(events).where(events.c.app_id == app_id, events.c.seq > after, events.c.at >= since)
    return [_event(row) for row in tx.execute(query.order_by(events.c.seq).limit(limit))]


def events_of_sessions(tx: Transaction, session_ids: Collection[str], *, limit: int) -> list[Event]:
    """The first `limit` events of each session, oldest first, in one statement."""
    place = func.row_number().over(partition_by=events.c.session_id, order_by=events.c.seq).label("place")
    numbered = select(events, place).where(events.c.session_id.in_(session_ids)).subquery()
    columns = [column for column in numbered.c if column.name != "place"]
    query = select(*columns).where(numbered.c.place <= limit).order_by(numbered.c.seq)
    return [_event(row) for row in tx.execute(query)]


def last_seq(tx: Transaction, app_id: str) -> int:
    """The sequence number of the app's newest event; 0 when it has none."""
    return tx.execute(select(func.max(events.c.seq)).where(events.c.app_id == app_id)).scalar() or 0


def _event(row: Row[Any]) -> Event:
    values = record(row)
    values["detail"] = msgspec.json.decode(values["detail"])
    return Event(**values)


def delete_events(tx: Transaction, app_id: str, *, at_before: int, seq_until: int | None, limit: int) -> int:
    """Delete an app's oldest events; how many there were.

    Args:
        tx: The transaction.
        app_id: Whose.
        at_before: Only those that happened before, in milliseconds since the epoch.
        seq_until: Only those with this number or a lower one.
        limit: At the most.
    """
    query = select(events.c.seq).where(events.c.app_id == app_id, events.c.at < at_before)
    if seq_until is not None:
        query = query.where(events.c.seq <= seq_until)
    due = list(tx.execute(query.order_by(events.c.seq).limit(limit)).scalars())
    tx.execute(delete(events).where(events.c.seq.in_(due)))
    return len(due)
