"""What apps keep for no longer: their transcripts and their events. The audit trail says what was deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagedoor.audit import store as trail
from stagedoor.events import store as events
from stagedoor.events.settings import EventSettings
from stagedoor.inbox import store as inbox
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import rfc3339
from stagedoor.outbox import delivery_store, fanout_store
from stagedoor.retention.sweep import Retention
from stagedoor.storage import Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.transcripts import archiving
from stagedoor.transcripts import store as transcripts
from stagedoor.transcripts.settings import TranscriptSettings


def register(retention: Retention, queue: Queue, max_age: int = 0) -> None:
    """Register them.

    Args:
        retention: Where.
        queue: Where the jobs go that delete from the object storage.
        max_age: Seconds for which events and the audit trail are kept at the most; 0 is no bound.
    """

    def event_retention(app: App) -> int | None:
        own = app.settings.of(EventSettings).event_retention
        return min(own or max_age, max_age) if max_age else own

    def delete_transcripts(tx: Transaction, app: App, before: int, limit: int) -> int:
        due = transcripts.due(tx, app.id, before, limit)
        for session_id in due:
            archiving.delete(tx, queue, app.organisation_id, app.id, session_id)
            _note(tx, app, "transcript.expired", session_id, {"endedBefore": rfc3339(before)})
        return len(due)

    retention.register_of_apps(lambda app: app.settings.of(TranscriptSettings).transcript_retention, delete_transcripts)
    retention.register_of_apps(event_retention, _delete_events)
    if max_age:
        # Of rooms that are no app's as well.
        retention.register("inbox.forget", max_age, inbox.delete_old)
        retention.register("audit.forget", max_age, trail.delete_old)


def _delete_events(tx: Transaction, app: App, before: int, limit: int) -> int:
    """Delete events, LiveKit's own that they came from, and the messages made of them.

    What no endpoint has been offered yet is left.
    """
    offered = fanout_store.offered_until(tx, app.id)
    deleted = events.delete_events(tx, app.id, at_before=before, seq_until=offered, limit=limit)
    raw = inbox.delete_settled(tx, f"{app.slug}-", received_before=before, limit=limit)
    sent = delivery_store.delete_deliveries_of_app(tx, app.id, before, limit)
    if deleted + raw + sent:
        counts = {"events": deleted, "inbox": raw, "deliveries": sent}
        _note(tx, app, "events.expired", app.id, counts | {"before": rfc3339(before)})
    return max(deleted, raw, sent)


def _note(tx: Transaction, app: App, action: str, target: str, detail: Mapping[str, Any]) -> None:
    trail.note(tx, None, action, target, organisation_id=app.organisation_id, app_id=app.id, detail=detail)
