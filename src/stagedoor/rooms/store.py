"""The tables of rooms and sessions, and their statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

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
    func,
    insert,
    select,
    update,
)

from stagedoor.rooms.nouns import Room, Session
from stagedoor.storage import Prepared, Transaction, metadata, upsert
from stagedoor.storage.records import record, values_of

rooms = Table(
    "rooms",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("livekit_room", Text, nullable=False, unique=True),
    Column("metadata", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger, nullable=True),
    Index("ix_rooms_app_id", "app_id", "id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("room", Text, nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("room_sid", String(64), nullable=True, unique=True),
    Column("state", String(10), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("started_at_source", String(12), nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("ended_at_source", String(12), nullable=True),
    Column("disposition", String(20), nullable=True),
    Column("active_participants", Integer, nullable=False),
    Column("peak_participants", Integer, nullable=False),
    Index("ix_sessions_app_id", "app_id", "id"),
    Index("ix_sessions_livekit_room", "livekit_room", "id"),
    Index("ix_sessions_state", "state", "app_id"),
)

# Statements of the path on which events are applied.

_ROOM_BY_NAME = Prepared(select(rooms).where(rooms.c.livekit_room == bindparam("name")))
_INSERT_SESSION = Prepared(insert(sessions))
_UPDATE_SESSION = Prepared(update(sessions).where(sessions.c.id == bindparam("key")))
_CREATED_SESSION = Prepared(
    select(sessions).where(sessions.c.livekit_room == bindparam("room"), sessions.c.state == "created").limit(1)
)
_SESSION_BY_ID = Prepared(select(sessions).where(sessions.c.id == bindparam("key")))
_new_room = upsert(rooms)
_SAVE_ROOM = Prepared(
    _new_room.on_conflict_do_update(
        index_elements=["id"], set_={column.name: _new_room.excluded[column.name] for column in rooms.c}
    )
)
_SESSION_BY_SID = Prepared(select(sessions).where(sessions.c.room_sid == bindparam("sid")))


def lock_rooms(tx: Transaction, livekit_rooms: Collection[str]) -> None:
    """Let no other transaction change these rooms' sessions until this one has ended.

    On PostgreSQL two transactions may read a session, each change it, and the second undo the first's change without
    having seen it. A verb takes its rooms before anything else, several in one order, so that none waits in a circle.
    SQLite has one writer.
    """
    tx.lock("rooms", livekit_rooms)


# Rooms


def room_by_livekit_name(tx: Transaction, name: str, *, with_deleted: bool = False) -> Room | None:
    rows = tx.rows(_ROOM_BY_NAME, {"name": name})
    room = Room(*rows[0]) if rows else None
    return None if room is None or (room.deleted_at is not None and not with_deleted) else room


def save_room(tx: Transaction, room: Room) -> None:
    """Insert the room, or change the one that it was."""
    tx.run(_SAVE_ROOM, values_of(room))


def list_rooms(
    tx: Transaction, app_id: str, *, live: bool | None, after: str | None, limit: int
) -> list[tuple[Room, Session | None]]:
    """Rooms of an app, each with the session that lives in it."""
    query = (
        select(rooms, *(column.label(f"s_{column.name}") for column in sessions.c))
        .outerjoin(sessions, (sessions.c.livekit_room == rooms.c.livekit_room) & (sessions.c.state == "active"))
        .where(rooms.c.app_id == app_id, rooms.c.deleted_at.is_(None))
        .order_by(rooms.c.id)
        .limit(limit)
    )
    if live is not None:
        query = query.where(sessions.c.id.is_not(None) if live else sessions.c.id.is_(None))
    if after is not None:
        query = query.where(rooms.c.id > after)
    found: dict[str, tuple[Room, Session | None]] = {}
    for row in tx.execute(query):
        mapping = record(row)
        live_session = {name[2:]: value for name, value in mapping.items() if name.startswith("s_")}
        room = Room(**{name: value for name, value in mapping.items() if not name.startswith("s_")})
        found[room.id] = (room, Session(**live_session) if live_session["id"] else None)
    return list(found.values())


# Sessions


def session_by_sid(tx: Transaction, room_sid: str) -> Session | None:
    rows = tx.rows(_SESSION_BY_SID, {"sid": room_sid})
    return Session(*rows[0]) if rows else None


def session_by_id(tx: Transaction, app_id: str, session_id: str) -> Session | None:
    query = select(sessions).where(sessions.c.id == session_id, sessions.c.app_id == app_id)
    return session_of_row(tx.execute(query).first())


def session_anywhere(tx: Transaction, session_id: str) -> Session | None:
    """The session of any app: for the product's own work."""
    rows = tx.rows(_SESSION_BY_ID, {"key": session_id})
    return Session(*rows[0]) if rows else None


def open_session_of_room(tx: Transaction, livekit_room: str) -> Session | None:
    """The newest session that lives in the room."""
    query = (
        select(sessions)
        .where(sessions.c.livekit_room == livekit_room, sessions.c.state == "active")
        .order_by(sessions.c.id.desc())
        .limit(1)
    )
    return session_of_row(tx.execute(query).first())


def open_sessions_of_rooms(tx: Transaction, livekit_rooms: Collection[str]) -> dict[str, Session]:
    """The newest session that lives in each of the rooms, by room; none for a room in which none does."""
    query = (
        select(sessions)
        .where(sessions.c.livekit_room.in_(livekit_rooms), sessions.c.state == "active")
        .order_by(sessions.c.id)
    )
    return {row.livekit_room: Session(**record(row)) for row in tx.execute(query)}


def newest_session_of_room(tx: Transaction, livekit_room: str) -> Session | None:
    """The session that lives in the room, or else the last that did: an egress ends after its room."""
    query = (
        select(sessions)
        .where(sessions.c.livekit_room == livekit_room)
        .order_by(sessions.c.state != "active", sessions.c.id.desc())
        .limit(1)
    )
    return session_of_row(tx.execute(query).first())


def session_of_room_at(tx: Transaction, livekit_room: str, at: int) -> Session | None:
    """The session of the room that had begun last at `at`, if it has not been announced only."""
    query = (
        select(sessions)
        .where(sessions.c.livekit_room == livekit_room, sessions.c.room_sid.is_not(None), sessions.c.started_at <= at)
        .order_by(sessions.c.started_at.desc(), sessions.c.id.desc())
        .limit(1)
    )
    return session_of_row(tx.execute(query).first())


def open_sessions(tx: Transaction) -> list[Session]:
    """Every session that we believe to live."""
    return [Session(**record(row)) for row in tx.execute(select(sessions).where(sessions.c.state == "active"))]


def created_session_of_room(tx: Transaction, livekit_room: str) -> Session | None:
    """The session that waits for the room."""
    rows = tx.rows(_CREATED_SESSION, {"room": livekit_room})
    return Session(*rows[0]) if rows else None


def count_created_sessions(tx: Transaction, app_id: str) -> int:
    """The sessions of an app that wait for their rooms."""
    query = select(func.count()).where(sessions.c.app_id == app_id, sessions.c.state == "created")
    return tx.execute(query).scalar() or 0


def count_open_sessions(tx: Transaction, app_id: str) -> int:
    query = select(func.count()).where(sessions.c.app_id == app_id, sessions.c.state == "active")
    return tx.execute(query).scalar() or 0


def list_sessions(
    tx: Transaction,
    app_id: str,
    *,
    livekit_room: str | None,
    state: str | None,
    since: int | None,
    until: int | None,
    before: str | None,
    limit: int,
) -> list[Session]:
    """Sessions of an app, newest first; `since` and `until` bound the start, in milliseconds since the epoch."""
    query = select(sessions).where(sessions.c.app_id == app_id).order_by(sessions.c.id.desc()).limit(limit)
    if livekit_room is not None:
        query = query.where(sessions.c.livekit_room == livekit_room)
    if state is not None:
        query = query.where(sessions.c.state == state)
    if since is not None:
        query = query.where(sessions.c.started_at >= since)
    if until is not None:
        query = query.where(sessions.c.started_at < until)
    if before is not None:
        query = query.where(sessions.c.id < before)
    return [Session(**record(row)) for row in tx.execute(query)]


def insert_session(tx: Transaction, session: Session) -> None:
    tx.run(_INSERT_SESSION, values_of(session))


def insert_sessions(tx: Transaction, new: Sequence[Session]) -> None:
    tx.run_many(_INSERT_SESSION, [values_of(session) for session in new])


def update_session(tx: Transaction, session: Session) -> None:
    update_sessions(tx, [session])


def update_sessions(tx: Transaction, changed: Sequence[Session]) -> None:
    tx.run_many(_UPDATE_SESSION, [values_of(session) | {"key": session.id} for session in changed])


def mark_seen(tx: Transaction, session_ids: Sequence[str], at: int) -> None:
    """LiveKit confirmed these sessions at `at`."""
    for start in range(0, len(session_ids), 500):
        chunk = session_ids[start : start + 500]
        tx.execute(
            update(sessions).where(sessions.c.id.in_(chunk), sessions.c.last_seen_at < at).values(last_seen_at=at)
        )


def session_of_row(row: Row[Any] | None) -> Session | None:
    return None if row is None else Session(**record(row))
