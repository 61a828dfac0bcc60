"""The tables and statements of rooms, sessions, participants, tracks and bans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

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
    UniqueConstraint,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from stagedoor.rooms.nouns import Participant, Plan, Room, Session, TimeSource, Track
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

plans = Table(
    "session_plans",
    metadata,
    Column("session_id", String(40), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("agents", Text, nullable=False),
    Column("max_duration", Integer, nullable=True),
    Column("empty_timeout", Integer, nullable=True),
    Column("departure_timeout", Integer, nullable=True),
    Column("max_participants", Integer, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("wait_until", BigInteger, nullable=False),
    Column("cleaned_at", BigInteger, nullable=True),
    Column("transcript", String(16), nullable=True),
)

participants = Table(
    "participants",
    metadata,
    Column("session_id", String(40), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("sid", String(64), primary_key=True),
    Column("identity", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("joined_at", BigInteger, nullable=True),
    Column("joined_at_source", String(12), nullable=True),
    Column("left_at", BigInteger, nullable=True),
    Column("left_at_source", String(12), nullable=True),
    Column("reason", String(64), nullable=True),
    Index("ix_participants_sid", "sid"),
)

tracks = Table(
    "tracks",
    metadata,
    Column("session_id", String(40), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("participant_sid", String(64), primary_key=True),
    Column("sid", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("mime_type", String(64), nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("published_at_source", String(12), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("unpublished_at", BigInteger, nullable=True),
    Column("unpublished_at_source", String(12), nullable=True),
)

bans = Table(
    "bans",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    UniqueConstraint("livekit_room", "identity"),
)


# Statements of the path on which events are applied.

_ROOM_BY_NAME = Prepared(select(rooms).where(rooms.c.livekit_room == bindparam("name")))
_INSERT_SESSION = Prepared(insert(sessions))
_UPDATE_SESSION = Prepared(update(sessions).where(sessions.c.id == bindparam("key")))
_CREATED_SESSION = Prepared(
    select(sessions).where(sessions.c.livekit_room == bindparam("room"), sessions.c.state == "created").limit(1)
)
_SESSION_BY_ID = Prepared(select(sessions).where(sessions.c.id == bindparam("key")))
_PLAN = Prepared(select(plans).where(plans.c.session_id == bindparam("key")))
_new_room = upsert(rooms)
_SAVE_ROOM = Prepared(
    _new_room.on_conflict_do_update(
        index_elements=["id"], set_={column.name: _new_room.excluded[column.name] for column in rooms.c}
    )
)
_SESSION_BY_SID = Prepared(select(sessions).where(sessions.c.room_sid == bindparam("sid")))
_INSERT_PARTICIPANT = Prepared(insert(participants))
_PARTICIPANT_KEY = (participants.c.session_id == bindparam("key"), participants.c.sid == bindparam("key_sid"))
_UPDATE_PARTICIPANT = Prepared(update(participants).where(*_PARTICIPANT_KEY))
_PARTICIPANT_BY_SID = Prepared(select(participants).where(*_PARTICIPANT_KEY))
_ACTIVE_SIDS = Prepared(
    select(participants.c.sid).where(
        participants.c.session_id == bindparam("key"),
        participants.c.identity == bindparam("identity"),
        participants.c.state == "active",
    )
)
_INSERT_TRACK = Prepared(insert(tracks))
_TRACK_KEY = (
    tracks.c.session_id == bindparam("key"),
    tracks.c.participant_sid == bindparam("key_participant"),
    tracks.c.sid == bindparam("key_sid"),
)
_UPDATE_TRACK = Prepared(update(tracks).where(*_TRACK_KEY))
_TRACKS_OF_PARTICIPANT = Prepared(
    select(tracks)
    .where(tracks.c.session_id == bindparam("key"), tracks.c.participant_sid == bindparam("key_participant"))
    .order_by(tracks.c.published_at, tracks.c.sid)
)
_BANNED_UNTIL = Prepared(
    select(bans.c.until).where(
        bans.c.livekit_room == bindparam("room"),
        bans.c.identity == bindparam("identity"),
        bans.c.until > bindparam("now"),
    )
)


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
    return _session(tx.execute(query).first())


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
    return _session(tx.execute(query).first())


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
    return _session(tx.execute(query).first())


def session_of_room_at(tx: Transaction, livekit_room: str, at: int) -> Session | None:
    """The session of the room that had begun last at `at`, if it has not been announced only."""
    query = (
        select(sessions)
        .where(sessions.c.livekit_room == livekit_room, sessions.c.room_sid.is_not(None), sessions.c.started_at <= at)
        .order_by(sessions.c.started_at.desc(), sessions.c.id.desc())
        .limit(1)
    )
    return _session(tx.execute(query).first())


def active_sids(tx: Transaction, session_id: str, identity: str) -> list[str]:
    """The SIDs under which the identity is active in the session."""
    return [row[0] for row in tx.rows(_ACTIVE_SIDS, {"key": session_id, "identity": identity})]


def session_of_participant(tx: Transaction, participant_sid: str) -> Session | None:
    """The session in which a participant SID was seen: LiveKit sometimes leaves out the room of a track event."""
    query = (
        select(sessions)
        .join(participants, participants.c.session_id == sessions.c.id)
        .where(participants.c.sid == participant_sid)
        .limit(1)
    )
    return _session(tx.execute(query).first())


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


def adjust_times(tx: Transaction, until: int, by: int, sources: Collection[TimeSource]) -> None:
    """Move the times of what is open by `by` milliseconds, because the clock was set.

    Args:
        tx: The transaction.
        until: When the clock was set, by the clock before: what is later by more than a little is by another clock.
        by: Milliseconds; negative when the clock was set back.
        sources: Whose times are meant.
    """
    latest = until + _OTHER_CLOCK_MS
    living = select(sessions.c.id).where(sessions.c.state.in_(("created", "active"))).scalar_subquery()

    def moved(column: Column[int], source: Column[str] | None = None) -> Any:
        meant = column <= latest
        if source is not None:
            meant &= source.in_(sorted(sources))
        return case((meant, column + by), else_=column)

    tx.execute(update(plans).where(plans.c.session_id.in_(living)).values(wait_until=plans.c.wait_until + by))
    for table, starts, ends in (
        (tracks, tracks.c.published_at, tracks.c.unpublished_at),
        (participants, participants.c.joined_at, participants.c.left_at),
    ):
        values = {column.name: moved(column, table.c[f"{column.name}_source"]) for column in (starts, ends)} | {
            "changed_at": moved(table.c.changed_at)
        }
        tx.execute(update(table).where(table.c.session_id.in_(living)).values(values))
    tx.execute(
        update(sessions)
        .where(sessions.c.state.in_(("created", "active")))
        .values(
            started_at=moved(sessions.c.started_at, sessions.c.started_at_source),
            last_seen_at=moved(sessions.c.last_seen_at),
            changed_at=moved(sessions.c.changed_at),
        )
    )


_OTHER_CLOCK_MS = 60_000


# Plans


def insert_plan(tx: Transaction, plan: Plan) -> None:
    tx.execute(insert(plans).values(_plan_values(plan)))


def update_plan(tx: Transaction, plan: Plan) -> None:
    tx.execute(update(plans).where(plans.c.session_id == plan.session_id).values(_plan_values(plan)))


def plan_of(tx: Transaction, session_id: str) -> Plan | None:
    rows = tx.rows(_PLAN, {"key": session_id})
    return _plan(dict(zip(_PLAN_COLUMNS, rows[0], strict=True))) if rows else None


def plans_of(tx: Transaction, session_ids: Collection[str]) -> dict[str, Plan]:
    """Plans by session; most sessions have none."""
    rows = tx.execute(select(plans).where(plans.c.session_id.in_(session_ids)))
    return {row.session_id: _plan(record(row)) for row in rows}


def planned_rooms(tx: Transaction) -> set[str]:
    """LiveKit names of rooms that a session was ever announced for."""
    query = select(sessions.c.livekit_room).join(plans, plans.c.session_id == sessions.c.id)
    return {row.livekit_room for row in tx.execute(query)}


def newest_plan_of_room(tx: Transaction, livekit_room: str) -> tuple[Session, Plan] | None:
    """The last session that was announced for the room, and its plan."""
    query = (
        select(sessions)
        .join(plans, plans.c.session_id == sessions.c.id)
        .where(sessions.c.livekit_room == livekit_room)
        .order_by(sessions.c.id.desc())
        .limit(1)
    )
    session = _session(tx.execute(query).first())
    plan = None if session is None else plan_of(tx, session.id)
    return None if session is None or plan is None else (session, plan)


# Participants and tracks


def participant_by_sid(tx: Transaction, session_id: str, sid: str) -> Participant | None:
    rows = tx.rows(_PARTICIPANT_BY_SID, {"key": session_id, "key_sid": sid})
    return Participant(*rows[0]) if rows else None


def participants_of(tx: Transaction, session_ids: Iterable[str]) -> list[Participant]:
    """Participants of sessions, in the order in which they came."""
    query = (
        select(participants)
        .where(participants.c.session_id.in_(list(session_ids)))
        .order_by(participants.c.joined_at, participants.c.changed_at, participants.c.sid)
    )
    return [Participant(**record(row)) for row in tx.execute(query)]


def present(tx: Transaction, livekit_rooms: Collection[str]) -> list[tuple[str, str, str]]:
    """LiveKit room, its SID, and identity of each participant in one of these rooms; Stagedoor's own are not stored."""
    query = (
        select(sessions.c.livekit_room, sessions.c.room_sid, participants.c.identity)
        .join(participants, participants.c.session_id == sessions.c.id)
        .where(
            sessions.c.livekit_room.in_(livekit_rooms),
            sessions.c.state == "active",
            participants.c.state == "active",
        )
    )
    return [(row.livekit_room, row.room_sid, row.identity) for row in tx.execute(query)]


def insert_participants(tx: Transaction, new: Sequence[Participant]) -> None:
    tx.run_many(_INSERT_PARTICIPANT, [values_of(person) for person in new])


def update_participants(tx: Transaction, changed: Sequence[Participant]) -> None:
    rows = [values_of(person) | {"key": person.session_id, "key_sid": person.sid} for person in changed]
    tx.run_many(_UPDATE_PARTICIPANT, rows)


def tracks_of(tx: Transaction, session_ids: Iterable[str]) -> list[Track]:
    """Tracks of sessions, in the order in which they were published."""
    query = (
        select(tracks).where(tracks.c.session_id.in_(list(session_ids))).order_by(tracks.c.published_at, tracks.c.sid)
    )
    return [Track(**record(row)) for row in tx.execute(query)]


def count_open_tracks(tx: Transaction, livekit_room: str) -> int:
    """What is published in the room now."""
    query = (
        select(func.count())
        .select_from(tracks.join(sessions, sessions.c.id == tracks.c.session_id))
        .where(
            sessions.c.livekit_room == livekit_room,
            sessions.c.state == "active",
            tracks.c.unpublished_at.is_(None),
        )
    )
    return tx.execute(query).scalar_one()


def tracks_of_participant(tx: Transaction, session_id: str, participant_sid: str) -> list[Track]:
    """A participant's tracks, ended ones included."""
    rows = tx.rows(_TRACKS_OF_PARTICIPANT, {"key": session_id, "key_participant": participant_sid})
    return [Track(*row) for row in rows]


def insert_tracks(tx: Transaction, new: Sequence[Track]) -> None:
    tx.run_many(_INSERT_TRACK, [values_of(track) for track in new])


def update_tracks(tx: Transaction, changed: Sequence[Track]) -> None:
    rows = [
        values_of(track) | {"key": track.session_id, "key_participant": track.participant_sid, "key_sid": track.sid}
        for track in changed
    ]
    tx.run_many(_UPDATE_TRACK, rows)


# Bans


def set_ban(tx: Transaction, ban_id: str, app_id: str, livekit_room: str, identity: str, until: int) -> None:
    tx.execute(delete(bans).where(bans.c.livekit_room == livekit_room, bans.c.identity == identity))
    tx.execute(insert(bans).values(id=ban_id, app_id=app_id, livekit_room=livekit_room, identity=identity, until=until))


def banned_until(tx: Transaction, livekit_room: str, identity: str, now: int) -> int | None:
    rows = tx.rows(_BANNED_UNTIL, {"room": livekit_room, "identity": identity, "now": now})
    return int(rows[0][0]) if rows else None


def count_bans(tx: Transaction, app_id: str) -> int:
    return tx.execute(select(func.count()).where(bans.c.app_id == app_id)).scalar() or 0


def bans_in_force(tx: Transaction) -> dict[tuple[str, str], int]:
    """Until when, by LiveKit room and identity."""
    query = select(bans.c.livekit_room, bans.c.identity, bans.c.until)
    return {(row.livekit_room, row.identity): row.until for row in tx.execute(query)}


def delete_bans_of_room(tx: Transaction, livekit_room: str) -> None:
    tx.execute(delete(bans).where(bans.c.livekit_room == livekit_room))


def delete_past_bans(tx: Transaction, now: int) -> None:
    tx.execute(delete(bans).where(bans.c.until <= now))


def banned_and_present(tx: Transaction, now: int) -> list[tuple[str, str]]:
    """LiveKit room and identity of each participant in a room that it is banned from."""
    query = (
        select(sessions.c.livekit_room, participants.c.identity)
        .join(participants, participants.c.session_id == sessions.c.id)
        .join(
            bans,
            (bans.c.livekit_room == sessions.c.livekit_room) & (bans.c.identity == participants.c.identity),
        )
        .where(sessions.c.state == "active", participants.c.state.in_(("joining", "active")), bans.c.until > now)
    )
    return [(row.livekit_room, row.identity) for row in tx.execute(query)]


# Values and rows


_PLAN_COLUMNS = tuple(plans.c.keys())


def _plan_values(plan: Plan) -> dict[str, Any]:
    return values_of(plan) | {"agents": msgspec.json.encode(plan.agents).decode()}


def _plan(values: dict[str, Any]) -> Plan:
    values["agents"] = msgspec.json.decode(values["agents"], type=tuple[tuple[str, str], ...])
    return Plan(**values)


def _session(row: Row[Any] | None) -> Session | None:
    return None if row is None else Session(**record(row))
