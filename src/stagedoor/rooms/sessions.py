"""Reading sessions whole: with their participants, tracks and timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.events import store as events
from stagedoor.events.nouns import Event
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.rooms import participants_store, plans_store, store
from stagedoor.rooms.nouns import Participant, Plan, Session, Track
from stagedoor.storage import Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.nouns import App
from stagedoor.usage import store as usage
from stagedoor.usage.meters import Amounts

TIMELINE_LIMIT = 5_000
"""Events that one session shows at the most; the live feed has all."""

LISTED_TIMELINE_LIMIT = 500
"""The same for each session of a list."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with all that belongs to it.

    Attributes:
        plan: What was announced of it, if it was.
        usage: What it used; `None` while it lasts.
    """

    session: Session
    plan: Plan | None
    usage: Amounts | None
    participants: Sequence[tuple[Participant, Sequence[Track]]]
    timeline: Sequence[Event]


def find(tx: Transaction, app: App, reference: str) -> Session:
    """The session with this id, or the last one of the room with this short or LiveKit name.

    Raises:
        NotFound: The app has no such session.
    """
    session = store.session_by_id(tx, app.id, reference)
    if session is None:
        try:
            session = store.newest_session_of_room(tx, room_names.livekit_name(app.slug, reference))
        except Invalid:  # it is no room's name either
            session = None
    if session is None or session.app_id != app.id:
        raise NotFound("There is no such session.", code="session_not_found")
    return session


def get(tx: Transaction, app: App, reference: str) -> SessionView:
    """A session of the app, whole.

    Raises:
        NotFound: The app has no such session.
    """
    session = find(tx, app, reference)
    (view,) = views(tx, [session], timeline_limit=TIMELINE_LIMIT)
    return view


def views(tx: Transaction, sessions: Sequence[Session], *, timeline_limit: int) -> list[SessionView]:
    """Sessions with participants, tracks and timelines, in a few statements whatever their number."""
    ids = [session.id for session in sessions]
    tracks: defaultdict[tuple[str, str], list[Track]] = defaultdict(list)
    for track in participants_store.tracks_of(tx, ids):
        tracks[track.session_id, track.participant_sid].append(track)
    people: defaultdict[str, list[tuple[Participant, Sequence[Track]]]] = defaultdict(list)
    for person in participants_store.participants_of(tx, ids):
        people[person.session_id].append((person, tracks[person.session_id, person.sid]))
    timelines: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in events.events_of_sessions(tx, ids, limit=timeline_limit) if timeline_limit else ():
        timelines[event.session_id].append(event)
    plans = plans_store.plans_of(tx, ids)
    used = usage.reported_usage_of_sessions(tx, [session.id for session in sessions if session.state == "ended"])
    return [
        SessionView(session, plans.get(session.id), used.get(session.id), people[session.id], timelines[session.id])
        for session in sessions
    ]
