"""Compare what we believe with what LiveKit lists, in both directions, and record each repair as a repair.

A list is a photograph: something may have changed between LiveKit taking it and our looking. So nothing that we changed
less than `grace_ms` before the first question was asked is judged by it; the next pass will.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import structlog

from stagedoor.events.feed import Feed
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, RoomSnapshot, ServerState
from stagedoor.rooms import store
from stagedoor.rooms.nouns import Moment, Participant, Session
from stagedoor.rooms.observe import (
    Observer,
    ensure_session,
    participant_back,
    participant_gone,
    participant_present,
    session_ended,
    session_reopened,
    track_back,
    track_gone,
    track_present,
)
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.store import app_by_slug

_log = structlog.get_logger()
_T = TypeVar("_T")

GRACE_MS = 3_000


class Reconciler:
    """Repairs our state after LiveKit's lists.

    Args:
        database: Our state.
        feed: Where the repairs are stored as events.
        queue: Where what follows from them is asked for.
        grace_ms: See the module.

    Attributes:
        failed_rooms: How many rooms the last comparison could not repair.
    """

    def __init__(self, database: Database, feed: Feed, queue: Queue, *, grace_ms: int = GRACE_MS) -> None:
        self._database = database
        self._feed = feed
        self._queue = queue
        self._grace_ms = grace_ms
        self.failed_rooms = 0

    async def run(self, state: ServerState, lost_at: int | None = None) -> Counter[str]:
        """Make our state LiveKit's.

        Args:
            state: What LiveKit listed.
            lost_at: When a LiveKit that has since been replaced went away, in milliseconds since the epoch: what it
                had, and is not listed now, ended then.

        Returns:
            How many repairs of each type were made.
        """
        self.failed_rooms = 0
        repairs: Counter[str] = Counter()
        confirmed: list[str] = []
        for room, people in state.rooms:
            session_id = await self._of_one(
                lambda tx, found, room=room, people=people: self._room(tx, state, room, people, found),
                room.name,
                repairs,
            )
            if session_id is not None:
                confirmed.append(session_id)
        listed = {room.sid for room, _ in state.rooms}
        for session in await self._database.read(store.open_sessions):
            if session.room_sid not in listed:
                await self._of_one(
                    lambda tx, found, believed=session: self._missing(tx, state, believed, lost_at, found),
                    session.livekit_room,
                    repairs,
                )
        await self._database.write(lambda tx: store.mark_seen(tx, confirmed, state.taken_at))
        return repairs

    async def _of_one(
        self, compare: Callable[[Transaction, Counter[str]], _T], livekit_room: str, repairs: Counter[str]
    ) -> _T | None:
        """Compare one room in a transaction of its own; one that cannot be repaired keeps no other from it."""
        found: Counter[str] = Counter()

        def work(tx: Transaction) -> _T:
            found.clear()
            return compare(tx, found)

        try:
            result = await self._database.write(work)
        except StorageUnavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with this one, the others are repaired
            _log.exception("room_not_reconciled", livekit_room=livekit_room)
            self.failed_rooms += 1
            return None
        repairs.update(found)
        return result

    def _room(
        self,
        tx: Transaction,
        state: ServerState,
        room: RoomSnapshot,
        people: tuple[ParticipantSnapshot, ...],
        repairs: Counter[str],
    ) -> str | None:
        """One listed room; the id of its session unless the room is no app's."""
        parts = room_names.split(room.name)
        app = app_by_slug(tx, parts[0]) if parts else None
        if parts is None or app is None:
            return None
        store.lock_rooms(tx, [room.name])
        obs = Observer(tx, self._feed, self._queue, "reconcile", reported=repairs)
        seen = Moment(state.taken_at, "reconcile")
        session = ensure_session(obs, app.id, parts[1], room, seen)
        if session.state == "ended":
            if not self._judged(session.changed_at, state):
                obs.flush()
                return session.id
            session = session_reopened(obs, session)
        known = {person.sid: person for person in obs.state.participants_of(session.id)}
        listed = {fact.sid for fact in people}
        for sid, person in known.items():
            if sid not in listed and person.open and self._judged(person.changed_at, state):
                gone = Moment(session.last_seen_at, "reconcile")
                session = participant_gone(obs, session, person, gone, None)
        for fact in people:
            session = self._participant(obs, session, fact, known.get(fact.sid), state)
        obs.flush()
        return session.id

    def _participant(
        self,
        obs: Observer,
        session: Session,
        fact: ParticipantSnapshot,
        known: Participant | None,
        state: ServerState,
    ) -> Session:
        if fact.state == "disconnected":
            return session
        if known is not None and not known.open:
            if not self._judged(known.changed_at, state):
                return session
            session, _ = participant_back(obs, session, known)
        seen = Moment(state.taken_at, "reconcile")
        session, person = participant_present(obs, session, fact, seen, active=fact.state == "active")
        tracks = {track.sid: track for track in obs.state.tracks_of_participant(session.id, fact.sid)}
        listed = {track.sid for track in fact.tracks}
        for sid, track in tracks.items():
            if sid not in listed and track.open and self._judged(track.changed_at, state):
                track_gone(obs, session, person, track, Moment(session.last_seen_at, "reconcile"))
        for track_fact in fact.tracks:
            before = tracks.get(track_fact.sid)
            if before is None or before.open:
                track_present(obs, session, person, track_fact, seen)
            elif self._judged(before.changed_at, state):
                track_back(obs, session, person, before)
        return session

    def _missing(
        self,
        tx: Transaction,
        state: ServerState,
        believed: Session,
        lost_at: int | None,
        repairs: Counter[str],
    ) -> None:
        """Close a session that LiveKit does not list any more."""
        store.lock_rooms(tx, [believed.livekit_room])
        session = store.session_anywhere(tx, believed.id)
        if session is None or session.state == "ended":
            return
        obs = Observer(tx, self._feed, self._queue, "reconcile", reported=repairs)
        if lost_at is not None and session.started_at <= lost_at:
            session_ended(obs, session, Moment(max(lost_at, session.last_seen_at), "reconcile"))
        elif self._judged(session.changed_at, state):
            session_ended(obs, session, Moment(session.last_seen_at, "reconcile"))
        obs.flush()

    def _judged(self, changed_at: int, state: ServerState) -> bool:
        return changed_at < state.taken_at - self._grace_ms or self._grace_ms == 0
