"""The tables of participants and tracks, and their statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from stagedoor.rooms.nouns import Participant, Session, Track
from stagedoor.rooms.store import session_of_row, sessions
from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import record, values_of

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

# Statements of the path on which events are applied.

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
_PARTICIPANTS_OF_SESSION = Prepared(
    select(participants)
    .where(participants.c.session_id == bindparam("key"))
    .order_by(participants.c.joined_at, participants.c.changed_at, participants.c.sid)
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
_TRACKS_OF_SESSION = Prepared(
    select(tracks).where(tracks.c.session_id == bindparam("key")).order_by(tracks.c.published_at, tracks.c.sid)
)


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
    return session_of_row(tx.execute(query).first())


def participant_by_sid(tx: Transaction, session_id: str, sid: str) -> Participant | None:
    rows = tx.rows(_PARTICIPANT_BY_SID, {"key": session_id, "key_sid": sid})
    return Participant(*rows[0]) if rows else None


def participants_of_session(tx: Transaction, session_id: str) -> list[Participant]:
    """Participants of a session, in the order in which they came."""
    return [Participant(*row) for row in tx.rows(_PARTICIPANTS_OF_SESSION, {"key": session_id})]


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


def present_sids(tx: Transaction, livekit_rooms: Collection[str]) -> list[tuple[str, str, str]]:
    """LiveKit room, SID and identity of each participant in one of these rooms, the newest last."""
    query = (
        select(sessions.c.livekit_room, participants.c.sid, participants.c.identity)
        .join(participants, participants.c.session_id == sessions.c.id)
        .where(
            sessions.c.livekit_room.in_(livekit_rooms),
            sessions.c.state == "active",
            participants.c.state == "active",
        )
        .order_by(participants.c.joined_at, participants.c.changed_at)
    )
    return [(row.livekit_room, row.sid, row.identity) for row in tx.execute(query)]


def publishers(tx: Transaction, livekit_room: str) -> set[str]:
    """The identities of those that publish in a room now."""
    query = (
        select(participants.c.identity)
        .join(sessions, sessions.c.id == participants.c.session_id)
        .join(
            tracks,
            and_(tracks.c.session_id == participants.c.session_id, tracks.c.participant_sid == participants.c.sid),
        )
        .where(
            sessions.c.livekit_room == livekit_room,
            sessions.c.state == "active",
            participants.c.state == "active",
            tracks.c.unpublished_at.is_(None),
        )
    )
    return set(tx.execute(query).scalars())


def reasons_of_leaving(tx: Transaction, sids: Collection[str]) -> dict[str, str]:
    """LiveKit's reasons for which those of the participants left that have left, where it gave one."""
    query = select(participants.c.sid, participants.c.reason).where(
        participants.c.sid.in_(sids), participants.c.left_at.is_not(None), participants.c.reason.is_not(None)
    )
    return {row.sid: row.reason for row in tx.execute(query)}


def insert_participants(tx: Transaction, new: Sequence[Participant]) -> None:
    tx.run_many(_INSERT_PARTICIPANT, [values_of(person) for person in new])


def update_participants(tx: Transaction, changed: Sequence[Participant]) -> None:
    rows = [values_of(person) | {"key": person.session_id, "key_sid": person.sid} for person in changed]
    tx.run_many(_UPDATE_PARTICIPANT, rows)


def tracks_of_session(tx: Transaction, session_id: str) -> list[Track]:
    """Tracks of a session, in the order in which they were published."""
    return [Track(*row) for row in tx.rows(_TRACKS_OF_SESSION, {"key": session_id})]


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
