"""The inbox: LiveKit's events as they came, under their unique ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)

from stagedoor.storage import BulkInsert, Database, Prepared, Transaction, metadata
from stagedoor.storage.records import record
from stagedoor.storage.types import row_id

InboxState = Literal["pending", "applied", "unclaimed", "ignored", "failed"]
INBOX_STATES: Final[dict[InboxState, str]] = {
    "pending": "Stored, not applied yet.",
    "applied": "Taken into the state.",
    "unclaimed": "About a room whose name begins with no app's slug.",
    "ignored": "Of a type that means nothing to Stagedoor.",
    "failed": "Could not be applied; replay it when the cause is fixed.",
}

inbox = Table(
    "inbox",
    metadata,
    row_id("seq"),
    Column("id", String(128), nullable=False, unique=True),
    Column("event", String(64), nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("scheme", String(8), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("trace", String(64), nullable=True),
    Column("state", String(12), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("applied_at", BigInteger, nullable=True),
    Column("error", Text, nullable=True),
    Index("ix_inbox_state", "state", "seq"),
    Index("ix_inbox_livekit_room", "livekit_room", "seq"),
    sqlite_autoincrement=True,
)

_SET_STATE: Final = Prepared(
    update(inbox)
    .where(inbox.c.seq == bindparam("seq"))
    .values({name: bindparam(name) for name in ("state", "attempts", "applied_at", "error")})
)
_PENDING: Final = Prepared(
    select(inbox.c.seq, inbox.c.livekit_room, inbox.c.received_at)
    .where(inbox.c.state == "pending", inbox.c.seq > bindparam("after"))
    .order_by(inbox.c.seq)
    .limit(bindparam("most"))
)
_EVENTS_OF_ROOM: Final = Prepared(
    select(inbox)
    .where(
        inbox.c.livekit_room == bindparam("room"),
        inbox.c.seq.between(bindparam("first"), bindparam("last")),
    )
    .order_by(inbox.c.seq)
)
_RECEIVED: Final = (
    *("id", "event", "livekit_room", "received_at", "key_id", "scheme", "body", "trace"),
    *("state", "attempts", "applied_at"),
)


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A stored event. Times are milliseconds since the epoch; `trace` is the `traceparent` of its arrival."""

    seq: int
    id: str
    event: str
    livekit_room: str
    received_at: int
    key_id: str
    scheme: str
    body: bytes
    trace: str | None
    state: InboxState
    attempts: int
    applied_at: int | None
    error: str | None


def intake(database: Database) -> BulkInsert:
    """The lane on which events come in: committed in groups, in order per room."""
    return database.bulk(inbox, "id", columns=_RECEIVED, in_order_of="livekit_room")


def pending(tx: Transaction, limit: int, *, after: int = 0) -> Sequence[Sequence[Any]]:
    """Number, room and time of receipt of events to be applied, in the order in which they came."""
    return tx.rows(_PENDING, {"after": after, "most": limit})


def pending_of_room(tx: Transaction, livekit_room: str, first: int, last: int) -> list[InboxEvent]:
    """The room's events between two numbers that wait to be applied, in the order in which they came."""
    # Asked for the state too, SQLite takes the index that begins with it, and reads the pending events of all rooms.
    rows = tx.rows(_EVENTS_OF_ROOM, {"room": livekit_room, "first": first, "last": last})
    return [event for event in (InboxEvent(*row) for row in rows) if event.state == "pending"]


def room_has_pending(tx: Transaction, livekit_room: str) -> bool:
    """Whether events of the room wait to be applied."""
    query = select(inbox.c.seq).where(inbox.c.livekit_room == livekit_room, inbox.c.state == "pending").limit(1)
    return tx.execute(query).first() is not None


class Applied(NamedTuple):
    """What became of an event."""

    seq: int
    state: InboxState
    attempts: int
    applied_at: int | None
    error: str | None = None


def set_states(tx: Transaction, applied: Sequence[Applied]) -> None:
    """Record what became of events."""
    tx.run_many(_SET_STATE, [one._asdict() for one in applied])


def get_event(tx: Transaction, event_id: str) -> InboxEvent | None:
    row = tx.execute(select(inbox).where(inbox.c.id == event_id)).first()
    return None if row is None else _event(row)


def list_events(
    tx: Transaction, *, state: str | None, livekit_room: str | None, before: int | None, limit: int
) -> list[InboxEvent]:
    """Stored events, newest first."""
    query = select(inbox).order_by(inbox.c.seq.desc()).limit(limit)
    if state is not None:
        query = query.where(inbox.c.state == state)
    if livekit_room is not None:
        query = query.where(inbox.c.livekit_room == livekit_room)
    if before is not None:
        query = query.where(inbox.c.seq < before)
    return [_event(row) for row in tx.execute(query)]


def waiting(tx: Transaction) -> dict[str, int]:
    """How many events are pending, unclaimed and failed."""
    states = ("pending", "unclaimed", "failed")
    query = select(inbox.c.state, func.count()).where(inbox.c.state.in_(states)).group_by(inbox.c.state)
    return dict.fromkeys(states, 0) | {row[0]: row[1] for row in tx.execute(query)}


def newest_pending_seq(tx: Transaction) -> int | None:
    """The number of the newest pending event."""
    return tx.execute(select(func.max(inbox.c.seq)).where(inbox.c.state == "pending")).scalar()


def oldest_pending(tx: Transaction) -> int | None:
    """When the event came in that waits longest to be applied."""
    query = select(inbox.c.received_at).where(inbox.c.state == "pending").order_by(inbox.c.seq).limit(1)
    return tx.execute(query).scalar()


def _event(row: Row[Any]) -> InboxEvent:
    return InboxEvent(**record(row))


def claim(tx: Transaction, room_prefix: str) -> int:
    """Have events applied that found no app, of rooms whose names begin so; how many there are."""
    begins = func.substr(inbox.c.livekit_room, 1, len(room_prefix)) == room_prefix
    return tx.execute(update(inbox).where(inbox.c.state == "unclaimed", begins).values(state="pending")).rowcount


def delete_old(tx: Transaction, received_before: int, limit: int) -> int:
    """Delete the oldest events from before a time, of any room, but for those that wait; how many."""
    oldest = tx.execute(select(inbox.c.seq, inbox.c.received_at, inbox.c.state).order_by(inbox.c.seq).limit(limit))
    due = [row.seq for row in oldest if row.received_at < received_before and row.state != "pending"]
    tx.execute(delete(inbox).where(inbox.c.seq.in_(due)))
    return len(due)


def delete_settled(tx: Transaction, room_prefix: str, *, received_before: int, limit: int) -> int:
    """Delete the oldest events that were acted on, of rooms whose names begin so; how many there were."""
    begins = func.substr(inbox.c.livekit_room, 1, len(room_prefix)) == room_prefix
    query = select(inbox.c.seq).where(
        begins, inbox.c.received_at < received_before, inbox.c.state.in_(("applied", "ignored"))
    )
    due = list(tx.execute(query.order_by(inbox.c.seq).limit(limit)).scalars())
    tx.execute(delete(inbox).where(inbox.c.seq.in_(due)))
    return len(due)
