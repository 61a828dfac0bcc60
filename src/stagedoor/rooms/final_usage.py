"""After a session's end: what it used is recorded, and reported again if later events changed it.

`session.ended` is stored in the transaction that ends a session, once for each session id. Events that come later
(LiveKit repeats them for half a minute, and a list may open a session again) change what is known; the final report is
then `session.corrected`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.nouns import Effect, Job, JobKind, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.rooms import participants_store, session_usage, store
from stagedoor.rooms.nouns import Participant, Session, Track
from stagedoor.storage import Database, Transaction
from stagedoor.usage import accounting
from stagedoor.usage import store as usage
from stagedoor.usage.meters import Amounts, Span, total

_log = structlog.get_logger()

SETTLE: Final = "session.settle"
METER: Final = "usage.meter"
_QUIET_MS: Final = 2_000
"""How long after a change a session is settled: events about one end come together."""

_METER_SECONDS: Final = 300.0


def schedule(tx: Transaction, queue: Queue, session_id: str) -> None:
    """Have what an ended session used recorded, soon."""
    payload = {"session": session_id}
    queue.put(tx, NewJob(SETTLE, payload, unique_key=session_id, run_at=now_ms() + _QUIET_MS))


def record_reported_usage(
    tx: Transaction, session: Session, people: Sequence[Participant], tracks: Sequence[Track]
) -> Amounts | None:
    """Record the usage that `session.ended` reports; `None` if it was reported before."""
    if usage.reported_usage(tx, session.id) is not None:
        return None
    spans = session_usage.spans(people, tracks, usage.egresses_of(tx, session.id), _until(session))
    reported = _reported(tx, session, spans)
    usage.insert_reported_usage(tx, reported)
    return reported.amounts


def kinds(database: Database, feed: Feed) -> Sequence[JobKind]:
    """The jobs that settle sessions, and that meter those that last."""

    async def work(job: Job) -> Effect:
        return lambda tx: settle(tx, feed, str(job.payload["session"]))

    async def meter(_: Job) -> None:
        for session in await database.read(store.open_sessions):
            try:
                await database.write(lambda tx, session_id=session.id: settle(tx, feed, session_id))
            except StorageUnavailable:
                raise
            except Exception:  # noqa: BLE001 - one session that cannot be metered keeps no other from it
                _log.exception("session_not_metered", session_id=session.id)

    return [
        JobKind(SETTLE, work),
        JobKind(METER, meter, every_seconds=_METER_SECONDS, timeout_seconds=_METER_SECONDS),
    ]


def settle(tx: Transaction, feed: Feed, session_id: str) -> None:
    """Record what the session used, and report it again if it is not what was reported."""
    found = store.session_anywhere(tx, session_id)
    if found is None:
        return
    store.lock_rooms(tx, [found.livekit_room])
    session = store.session_anywhere(tx, session_id)
    if session is None:
        return
    spans = session_usage.spans(
        participants_store.participants_of_session(tx, session.id),
        participants_store.tracks_of_session(tx, session.id),
        usage.egresses_of(tx, session.id),
        _until(session),
    )
    accounting.record(tx, session.app_id, session.id, spans)
    before = usage.reported_usage(tx, session.id)
    if before is None or session.state != "ended":
        return
    after = _reported(tx, session, spans)
    if after != before:
        usage.update_reported_usage(tx, after)
        detail = session_usage.session_ended_detail(session, after.amounts)
        name = session.livekit_room
        feed.append(
            tx, NewEvent(session.app_id, "session.corrected", "reconcile", now_ms(), name, name, session.id, detail)
        )


def _reported(tx: Transaction, session: Session, spans: Sequence[Span]) -> usage.ReportedUsage:
    amounts = total(spans) + accounting.added(tx, session.id)
    return usage.ReportedUsage(session.id, session.app_id, session.disposition or "", session.duration_ms or 0, amounts)


def _until(session: Session) -> int:
    return now_ms() if session.ended_at is None else session.ended_at
