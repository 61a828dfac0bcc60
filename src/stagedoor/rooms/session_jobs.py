"""What is asked for when a session is announced, begins and is over: jobs, which `enforcing` and `transcripts` do."""

from __future__ import annotations

from typing import Final

from stagedoor.jobs.nouns import NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from stagedoor.rooms import store
from stagedoor.rooms.nouns import SESSION, SESSION_ATTRIBUTE, Plan, Session
from stagedoor.rooms.settings import SessionSettings, TranscriptPolicy
from stagedoor.storage import Transaction
from stagedoor.tenancy.store import app_by_id

RECORD: Final = "transcript.record"
LIMIT: Final = "session.limit"
CLEAN_UP: Final = "session.cleanup"
REFUSE: Final = "session.refuse"
TURN_AWAY: Final = "participant.turn_away"


def announced(tx: Transaction, queue: Queue, plan: Plan) -> None:
    """Have an end put to it if its room does not come."""
    queue.put(tx, NewJob(LIMIT, {"session": plan.session_id}, f"{plan.session_id}/wait", run_at=plan.wait_until))


def begun(tx: Transaction, queue: Queue, session: Session) -> None:
    """Have an end put to it when it has lasted long enough, and have it recorded if it is to be."""
    plan = store.plan_of(tx, session.id)
    if plan is not None:
        queue.withdraw(tx, LIMIT, f"{session.id}/wait")
    transcript = plan.transcript if plan is not None and plan.transcript is not None else _of_app(tx, session)
    if transcript != "off":
        chat = transcript == "speech_and_chat"
        queue.put(tx, NewJob(RECORD, {"session": session.id, "chat": chat}, session.id))
    if plan is None and _is_of_one_that_is_over(tx, session):
        queue.put(tx, NewJob(REFUSE, {"session": session.id}, session.id))
    if plan is not None and plan.max_duration is not None:
        at = session.started_at + plan.max_duration * 1000
        queue.put(tx, NewJob(LIMIT, {"session": session.id}, f"{session.id}/duration", run_at=at))


def came(tx: Transaction, queue: Queue, session: Session, person: ParticipantSnapshot) -> None:
    """Have somebody sent away who came in with a token of an announced session that is over."""
    meant = person.attributes.get(SESSION_ATTRIBUTE)
    if meant is None or meant == session.id or session.state != "active":
        return
    other = store.session_anywhere(tx, meant)
    if other is not None and other.livekit_room == session.livekit_room and other.state == "ended":
        payload = {"room": session.livekit_room, "identity": person.identity}
        queue.put(tx, NewJob(TURN_AWAY, payload, person.sid))


def _is_of_one_that_is_over(tx: Transaction, session: Session) -> bool:
    """A room that is named after a session is that session's alone; somebody has come back with a token of its."""
    if not session.room.startswith(f"{SESSION}_"):
        return False
    announced = store.session_anywhere(tx, session.room)
    return announced is not None and announced.app_id == session.app_id and announced.state == "ended"


def _of_app(tx: Transaction, session: Session) -> TranscriptPolicy:
    app = app_by_id(tx, session.app_id)
    return "off" if app is None else app.settings.of(SessionSettings).transcript


def over(tx: Transaction, queue: Queue, session: Session) -> None:
    """Have its agents called off and its bans lifted, if it was announced."""
    if store.plan_of(tx, session.id) is not None:
        for limit in ("wait", "duration"):
            queue.withdraw(tx, LIMIT, f"{session.id}/{limit}")
        queue.put(tx, NewJob(CLEAN_UP, {"session": session.id}, session.id))
