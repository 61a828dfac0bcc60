"""The jobs that hold announced sessions to their limits: scheduled when a session is announced, starts and ends.

`limit_jobs` does them. All but the first are reactions, listed in `app/reactions.py`.
"""

from __future__ import annotations

from typing import Final

from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.nouns import NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.rooms import plans_store, store
from stagedoor.rooms.nouns import SESSION, SESSION_ATTRIBUTE, Plan, Session
from stagedoor.storage import Transaction

LIMIT: Final = "session.limit"
CLEAN_UP: Final = "session.cleanup"
REFUSE: Final = "session.refuse"
TURN_AWAY: Final = "participant.turn_away"


def on_announced(tx: Transaction, queue: Queue, plan: Plan) -> None:
    """Schedule the session to end at `wait_until` unless its room starts."""
    queue.put(tx, NewJob(LIMIT, {"session": plan.session_id}, f"{plan.session_id}/wait", run_at=plan.wait_until))


def on_started(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Schedule the end of a session that was announced with a longest duration, and end one that must not be."""
    session: Session = event.about
    plan = plans_store.plan_of(tx, session.id)
    if plan is None:
        if _is_of_an_ended_session(tx, session):
            queue.put(tx, NewJob(REFUSE, {"session": session.id}, session.id))
        return
    queue.withdraw(tx, LIMIT, f"{session.id}/wait")
    if plan.max_duration is not None:
        at = session.started_at + plan.max_duration * 1000
        queue.put(tx, NewJob(LIMIT, {"session": session.id}, f"{session.id}/duration", run_at=at))


def on_joined(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Schedule the removal of a participant who joined with a token of an announced session that has ended."""
    if event.about is None:  # it joined before, or was only inferred
        return
    session, person = _joined(event)
    meant = person.attributes.get(SESSION_ATTRIBUTE)
    if meant is None or meant == session.id or session.state != "active":
        return
    other = store.session_anywhere(tx, meant)
    if other is not None and other.livekit_room == session.livekit_room and other.state == "ended":
        payload = {"room": session.livekit_room, "identity": person.identity}
        queue.put(tx, NewJob(TURN_AWAY, payload, person.sid))


def on_ended(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Schedule that agents are called off and bans lifted, if the session was announced."""
    session: Session = event.about
    if plans_store.plan_of(tx, session.id) is not None:
        for limit in ("wait", "duration"):
            queue.withdraw(tx, LIMIT, f"{session.id}/{limit}")
        queue.put(tx, NewJob(CLEAN_UP, {"session": session.id}, session.id))


def _joined(event: NewEvent) -> tuple[Session, ParticipantSnapshot]:
    return event.about


def _is_of_an_ended_session(tx: Transaction, session: Session) -> bool:
    """A room that is named after a session is that session's alone; a participant came back with one of its tokens."""
    if not session.room.startswith(f"{SESSION}_"):
        return False
    announced = store.session_anywhere(tx, session.room)
    return announced is not None and announced.app_id == session.app_id and announced.state == "ended"
