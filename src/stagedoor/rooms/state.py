"""What one transaction has read of rooms and sessions, and changed of them: each row is read once, and written once.

An event changes its session two or three times, and most events of a backlog are of a few rooms. What is kept here is
written by `flush`, by which time it is as the last change left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from stagedoor.rooms import participants_store, store
from stagedoor.rooms.nouns import Participant, Room, Session, Track
from stagedoor.storage import Transaction

_Row = TypeVar("_Row")
_Key = TypeVar("_Key", bound=tuple[str, ...])


class RoomState:
    """The rows of one transaction. Its rooms are locked, so nothing else changes them meanwhile.

    Args:
        tx: The transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rooms: dict[str, Room | None] = {}
        self._sessions: dict[str, Session] = {}
        self._ids: dict[str, str] = {}
        self._announced: dict[str, Session | None] = {}
        self._people: dict[str, dict[str, Participant]] = {}
        self._tracks: dict[tuple[str, str], dict[str, Track]] = {}
        self._whole: set[str] = set()
        """Sessions of which everything is here."""
        self._stored: set[tuple[str, ...]] = set()
        """Keys of rows that the database has."""
        self._changed_rooms: dict[str, Room] = {}
        self._changed_sessions: dict[str, Session] = {}
        self._changed_people: dict[tuple[str, str], Participant] = {}
        self._changed_tracks: dict[tuple[str, str, str], Track] = {}

    # Rooms

    def room(self, livekit_room: str) -> Room | None:
        """The room of this name, also one that was deleted."""
        if livekit_room not in self._rooms:
            self._rooms[livekit_room] = store.room_by_livekit_name(self._tx, livekit_room, with_deleted=True)
        return self._rooms[livekit_room]

    def save_room(self, room: Room) -> None:
        self._rooms[room.livekit_room] = self._changed_rooms[room.livekit_room] = room

    # Sessions

    def session_by_sid(self, room_sid: str) -> Session | None:
        known = self._ids.get(room_sid)
        if known is not None:
            return self._sessions[known]
        found = store.session_by_sid(self._tx, room_sid)
        return None if found is None else self._loaded(found)

    def announced_session(self, livekit_room: str) -> Session | None:
        """The session that waits for the room."""
        if livekit_room not in self._announced:
            found = store.created_session_of_room(self._tx, livekit_room)
            self._announced[livekit_room] = None if found is None else self._loaded(found)
        return self._announced[livekit_room]

    def insert_session(self, session: Session) -> None:
        self._whole.add(session.id)
        self._keep_session(session)

    def update_session(self, session: Session) -> None:
        """Change a session, which may have been read elsewhere in this transaction."""
        if session.id not in self._sessions:
            self._stored.add((session.id,))
        self._keep_session(session)

    def _keep_session(self, session: Session) -> None:
        if session.state != "created":
            self._announced[session.livekit_room] = None
        self._sessions[session.id] = self._changed_sessions[session.id] = session
        if session.room_sid is not None:
            self._ids[session.room_sid] = session.id

    def _loaded(self, session: Session) -> Session:
        self._stored.add((session.id,))
        if session.room_sid is not None:
            self._ids[session.room_sid] = session.id
        return self._sessions.setdefault(session.id, session)

    # Participants

    def participant(self, session_id: str, sid: str) -> Participant | None:
        people = self._people.setdefault(session_id, {})
        if sid not in people and session_id not in self._whole:
            found = participants_store.participant_by_sid(self._tx, session_id, sid)
            if found is not None:
                self._keep(found)
        return people.get(sid)

    def participants_of(self, session_id: str) -> list[Participant]:
        """All of a session, in the order in which they came."""
        self._load(session_id)
        return sorted(
            self._people.get(session_id, {}).values(),
            key=lambda person: (person.joined_at or 0, person.changed_at, person.sid),
        )

    def save_participant(self, person: Participant) -> None:
        self._people.setdefault(person.session_id, {})[person.sid] = person
        self._changed_people[person.session_id, person.sid] = person
        if (person.session_id, person.sid) not in self._stored:
            self._tracks.setdefault((person.session_id, person.sid), {})

    def is_elsewhere(self, person: Participant) -> bool:
        """Whether the identity is active in the session under another SID: LiveKit replaces one by the other."""
        people = self._people.get(person.session_id, {})
        for other in people.values():
            if other.identity == person.identity and other.state == "active" and other.sid != person.sid:
                return True
        if person.session_id in self._whole:
            return False
        return any(
            sid not in people for sid in participants_store.active_sids(self._tx, person.session_id, person.identity)
        )

    def _keep(self, person: Participant) -> None:
        self._people.setdefault(person.session_id, {}).setdefault(person.sid, person)
        self._stored.add((person.session_id, person.sid))

    # Tracks

    def track(self, person: Participant, sid: str) -> Track | None:
        return self._tracks_by_sid(person.session_id, person.sid).get(sid)

    def tracks_of_participant(self, session_id: str, participant_sid: str) -> list[Track]:
        """A participant's tracks, ended ones included, in the order in which they were published."""
        return _in_order(self._tracks_by_sid(session_id, participant_sid).values())

    def tracks_of(self, session_id: str) -> list[Track]:
        """All of a session."""
        self._load(session_id)
        return _in_order(
            track for (of, _), tracks in self._tracks.items() if of == session_id for track in tracks.values()
        )

    def save_track(self, track: Track) -> None:
        self._tracks_by_sid(track.session_id, track.participant_sid)[track.sid] = track
        self._changed_tracks[track.session_id, track.participant_sid, track.sid] = track

    def _tracks_by_sid(self, session_id: str, participant_sid: str) -> dict[str, Track]:
        key = session_id, participant_sid
        found = self._tracks.get(key)
        if found is None:
            found = self._tracks[key] = {}
            if session_id not in self._whole:
                for track in participants_store.tracks_of_participant(self._tx, session_id, participant_sid):
                    found[track.sid] = track
                    self._stored.add((session_id, participant_sid, track.sid))
        return found

    def _load(self, session_id: str) -> None:
        if session_id in self._whole:
            return
        for person in participants_store.participants_of_session(self._tx, session_id):
            self._keep(person)
        complete = set(self._tracks)
        for track in participants_store.tracks_of_session(self._tx, session_id):
            key = session_id, track.participant_sid
            if key not in complete:
                self._tracks.setdefault(key, {})[track.sid] = track
                self._stored.add((*key, track.sid))
        self._whole.add(session_id)

    # Writing

    def flush(self) -> None:
        """Write what has changed."""
        for room in self._changed_rooms.values():
            store.save_room(self._tx, room)
        sessions = {(key,): session for key, session in self._changed_sessions.items()}
        self._write(sessions, store.insert_sessions, store.update_sessions)
        self._write(
            self._changed_people, participants_store.insert_participants, participants_store.update_participants
        )
        self._write(self._changed_tracks, participants_store.insert_tracks, participants_store.update_tracks)
        self._changed_rooms.clear()
        self._changed_sessions.clear()
        self._changed_people.clear()
        self._changed_tracks.clear()

    def _write(
        self,
        changed: Mapping[_Key, _Row],
        insert: Callable[[Transaction, Sequence[_Row]], None],
        update: Callable[[Transaction, Sequence[_Row]], None],
    ) -> None:
        new = [row for key, row in changed.items() if key not in self._stored]
        old = [row for key, row in changed.items() if key in self._stored]
        if new:
            insert(self._tx, new)
        if old:
            update(self._tx, old)
        self._stored.update(changed)


def _in_order(tracks: Iterable[Track]) -> list[Track]:
    return sorted(tracks, key=lambda track: (track.published_at, track.sid))
