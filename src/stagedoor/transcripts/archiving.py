"""Archiving: a job that writes a transcript that has ended into the object storage, and one that deletes it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.nouns import Effect, Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.rooms import presence
from stagedoor.storage import Database, Transaction
from stagedoor.storage.objects import Objects, ObjectsUnavailable
from stagedoor.tenancy import store as tenancy
from stagedoor.transcripts import store
from stagedoor.transcripts.formats import FORMATS, Format, Whole

ARCHIVE: Final = "transcript.archive"
DELETE: Final = "transcript.delete"


def key_of(organisation_id: str, app_id: str, session_id: str, format_: Format) -> str:
    """Where a transcript's file is in the object storage. Ids, not slugs: an app's slug may be another's one day."""
    return f"transcripts/{organisation_id}/{app_id}/{session_id}/transcript.{format_}"


def whole(tx: Transaction, session_id: str) -> tuple[str, Whole] | None:
    """A transcript with its segments, and its organisation's id; `None` when there is none."""
    session, transcript = presence.session_by_id(tx, session_id), store.transcript_of(tx, session_id)
    app = None if session is None else tenancy.app_by_id(tx, session.app_id)
    if session is None or transcript is None or app is None:
        return None
    return app.organisation_id, Whole(app.slug, session, transcript, store.segments_of(tx, session_id))


def delete(tx: Transaction, queue: Queue, organisation_id: str, app_id: str, session_id: str) -> bool:
    """Delete a transcript here and, by a job, in the object storage; False when there is none."""
    queue.put(
        tx,
        NewJob(DELETE, {"organisation": organisation_id, "app": app_id, "session": session_id}, session_id),
    )
    return store.delete_transcript(tx, session_id)


def kinds(database: Database, feed: Feed, queue: Queue, objects: Objects) -> Sequence[JobKind]:
    """The jobs."""

    async def archive(job: Job) -> Effect | None:
        session_id = str(job.payload["session"])
        found = await database.read(lambda tx: whole(tx, session_id))
        if found is None or found[1].transcript.state != "ended":
            return None  # deleted, or recorded again: its end queues another job
        organisation_id, about = found
        keys: dict[str, str] = {}
        for format_, (content_type, render) in FORMATS.items():
            keys[format_] = key_of(organisation_id, about.session.app_id, session_id, format_)
            try:
                await objects.put(keys[format_], render(about), content_type)
            except ObjectsUnavailable as error:
                raise Retry(f"The object storage cannot be written: {error}") from None

        def done(tx: Transaction) -> None:
            if store.transcript_of(tx, session_id) is None:  # deleted while it was written
                delete(tx, queue, organisation_id, about.session.app_id, session_id)
            else:
                _archived(tx, feed, about, keys)

        return done

    async def forget(job: Job) -> Effect | None:
        organisation_id, app_id = str(job.payload["organisation"]), str(job.payload["app"])
        session_id = str(job.payload["session"])
        there = await database.read(lambda tx: store.transcript_of(tx, session_id))
        if there is not None:
            return None  # recorded again meanwhile
        for format_ in FORMATS:
            try:
                await objects.delete(key_of(organisation_id, app_id, session_id, format_))
            except ObjectsUnavailable as error:
                raise Retry(f"The object storage cannot be written: {error}") from None
        return None

    return [JobKind(ARCHIVE, archive, max_attempts=20), JobKind(DELETE, forget, max_attempts=20)]


def _archived(tx: Transaction, feed: Feed, about: Whole, keys: dict[str, str]) -> None:
    session = about.session
    transcript = store.transcript_of(tx, session.id, locked=True)
    if transcript is None or transcript.state != "ended" or transcript.ended_at != about.transcript.ended_at:
        return
    now = now_ms()
    store.update_transcript(tx, replace(transcript, state="archived", archived_at=now))
    detail = {
        "sessionId": session.id,
        "segments": len(about.segments),
        "interruptions": transcript.interruptions,
        "truncated": transcript.truncated,
        "objects": keys,
    }
    feed.append(
        tx,
        NewEvent(
            session.app_id, "transcript.archived", "api", now, session.livekit_room, session.id, session.id, detail
        ),
    )
