"""Reading sessions whole: with their participants, tracks and timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.events import store as events
from stagedoor.events.nouns import Event
from stagedoor.kernel.errors import NotFound
from stagedoor.rooms import store
from stagedoor.rooms.nouns import Participant, Session, Track
from stagedoor.storage import Transaction
from stagedoor.tenancy.nouns import App

TIMELINE_LIMIT = 5_000
"""Events that one session shows at the most; the live feed has all."""

LISTED_TIMELINE_LIMIT = 500
"""The same for each session of a list."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with all that belongs to it."""

    session: Session
    participants: Sequence[tuple[Participant, Sequence[Track]]]
    timeline: Sequence[Event]


def get(tx: Transaction, app: App, session_id: str) -> SessionView:
    """A session of the app, whole.

    Raises:
        NotFound: The app has no such session.
    """
    session = store.session_by_id(tx, app.id, session_id)
    if session is None:
        raise NotFound("There is no such session.", code="session_not_found")
    (view,) = views(tx, [session], timeline_limit=TIMELINE_LIMIT)
    return view


def views(tx: Transaction, sessions: Sequence[Session], *, timeline_limit: int) -> list[SessionView]:
    """Sessions with participants, tracks and timelines, in a few statements whatever their number."""
    ids = [session.id for session in sessions]
    tracks: defaultdict[tuple[str, str], list[Track]] = defaultdict(list)
    for track in store.tracks_of(tx, ids):
        tracks[track.session_id, track.participant_sid].append(track)
    people: defaultdict[str, list[tuple[Participant, Sequence[Track]]]] = defaultdict(list)
    for person in store.participants_of(tx, ids):
        people[person.session_id].append((person, tracks[person.session_id, person.sid]))
    timelines: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in events.events_of_sessions(tx, ids, limit=timeline_limit) if timeline_limit else ():
        timelines[event.session_id].append(event)
    return [SessionView(session, people[session.id], timelines[session.id]) for session in sessions]
