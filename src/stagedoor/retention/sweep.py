"""The sweep: a job that deletes transcripts and events that are due, and says so in the audit trail."""

from __future__ import annotations

from typing import Final

from stagedoor.audit import store as trail
from stagedoor.events import store as events
from stagedoor.inbox import store as inbox
from stagedoor.jobs.nouns import Job, JobKind
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.outbox import store as outbox
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import store as tenancy
from stagedoor.tenancy.nouns import App
from stagedoor.transcripts import archiving
from stagedoor.transcripts import store as transcripts

_BATCH_SIZE: Final = 500
"""How many rows one transaction deletes: others wait for it."""


def kind(database: Database, queue: Queue, every_seconds: float) -> JobKind:
    """The job."""

    async def sweep(_: Job) -> None:
        for app in await database.read(tenancy.apps_that_forget):
            await _transcripts(database, queue, app)
            await _events(database, app)

    return JobKind("retention.sweep", sweep, every_seconds=every_seconds, timeout_seconds=3600)


async def _transcripts(database: Database, queue: Queue, app: App) -> None:
    kept = app.settings.transcript_retention
    if kept is None:
        return
    until = now_ms() - kept * 1000

    def bite(tx: Transaction) -> int:
        due = transcripts.due(tx, app.id, until, _BATCH_SIZE)
        for session_id in due:
            archiving.delete(tx, queue, app.organisation_id, app.id, session_id)
            trail.note(
                tx,
                None,
                "transcript.expired",
                session_id,
                organisation_id=app.organisation_id,
                app_id=app.id,
                detail={"endedBefore": rfc3339(until)},
            )
        return len(due)

    while await database.write(bite) == _BATCH_SIZE:
        pass


async def _events(database: Database, app: App) -> None:
    """Events, LiveKit's own that they came from, and the messages that were made of them.

    What no endpoint has been offered yet is left.
    """
    kept = app.settings.event_retention
    if kept is None:
        return
    until = now_ms() - kept * 1000

    def bite(tx: Transaction) -> int:
        offered = outbox.offered_until(tx, app.id)
        deleted = events.delete_events(tx, app.id, at_before=until, seq_until=offered, limit=_BATCH_SIZE)
        raw = inbox.delete_settled(tx, f"{app.slug}-", received_before=until, limit=_BATCH_SIZE)
        sent = outbox.delete_deliveries_of_app(tx, app.id, until, _BATCH_SIZE)
        if deleted + raw + sent:
            trail.note(
                tx,
                None,
                "events.expired",
                app.id,
                organisation_id=app.organisation_id,
                app_id=app.id,
                detail={"events": deleted, "inbox": raw, "deliveries": sent, "before": rfc3339(until)},
            )
        return max(deleted, raw, sent)

    while await database.write(bite) == _BATCH_SIZE:
        pass
