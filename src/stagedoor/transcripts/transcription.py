"""Transcribing: a job for each session that is transcribed, for as long as the session lasts.

The job's lease is what brings the transcriber back: when this process dies, or the transcriber's does, the job is
claimed again and its next attempt joins the room again. What was spoken in between is missing, and counted as an
interruption.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

import structlog

from stagedoor.access.mint import own_token
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.nouns import Effect, Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.store import unfinished_of_key
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Problem, StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import presence
from stagedoor.rooms.nouns import Session
from stagedoor.rooms.settings import SessionSettings, TranscriptPolicy
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.store import app_by_id
from stagedoor.transcripts import store
from stagedoor.transcripts.archiving import ARCHIVE
from stagedoor.transcripts.nouns import Segment, Transcript
from stagedoor.transcripts.protocol import Joined, Report, Subscribe, TextStream
from stagedoor.transcripts.segments import SegmentAssembler
from stagedoor.transcripts.transcriber import Transcriber, TranscriberLost

_log = structlog.get_logger()

RECORD: Final = "transcript.record"
_LONGEST_SECONDS: Final = 30 * 86_400.0
_RETRY_SECONDS: Final = 1.0
_STORAGE_RETRY_SECONDS: Final = 1.0
_CONCURRENCY: Final = 200
MOST_SEGMENTS: Final = 100_000
"""Of one session: five a second for five hours. What follows is not stored, and the transcript says so."""


def on_session_started(tx: Transaction, queue: Queue, event: NewEvent) -> None:
    """Have a session transcribed as it was announced to be, or as its app says."""
    session: Session = event.about
    plan = presence.plan_of(tx, session.id)
    policy = plan.transcript if plan is not None and plan.transcript is not None else _policy_of_app(tx, session.app_id)
    if policy != "off":
        payload = {"session": session.id, "chat": policy == "speech_and_chat"}
        queue.put(tx, NewJob(RECORD, payload, session.id))


def _policy_of_app(tx: Transaction, app_id: str) -> TranscriptPolicy:
    app = app_by_id(tx, app_id)
    return "off" if app is None else app.settings.of(SessionSettings).transcript


def start(tx: Transaction, queue: Queue, session: Session, *, chat: bool) -> Transcript:
    """Begin to transcribe a session, or go on after a stop.

    Raises:
        Conflict: The session is over, or has not begun.
    """
    if session.state == "ended":
        raise Conflict("The session is over.", code="session_ended")
    if session.state == "created":
        raise Conflict(
            "The session has not begun. Say `transcript` when you announce it, or ask again once it is active.",
            code="session_not_begun",
        )
    queue.put(tx, NewJob(RECORD, {"session": session.id, "chat": chat}, session.id))
    return _begun(tx, session, chat=chat)


def stop(tx: Transaction, queue: Queue, session: Session) -> Transcript | None:
    """Stop transcribing; what there is is archived."""
    ended = _ended(tx, queue, session.id)
    job = unfinished_of_key(tx, RECORD, session.id)
    if job is not None:
        queue.cancel(tx, job.id)
    return ended


def cancelled(tx: Transaction, queue: Queue, job: Job) -> None:
    """An operator cancelled the job: what there is is archived, as after a stop."""
    _ended(tx, queue, str(job.payload["session"]))


class TranscriptionJobs:
    """Transcribes the sessions that jobs name."""

    def __init__(self, database: Database, queue: Queue, gateway: LiveKitGateway, transcriber: Transcriber) -> None:
        self._database = database
        self._queue = queue
        self._gateway = gateway
        self._transcriber = transcriber

    def kind(self) -> JobKind:
        """The kind of these jobs."""
        return JobKind(RECORD, self._work, timeout_seconds=_LONGEST_SECONDS, concurrency=_CONCURRENCY)

    async def _work(self, job: Job) -> Effect | None:
        session_id, chat = str(job.payload["session"]), bool(job.payload["chat"])
        session = await self._database.read(lambda tx: presence.session_by_id(tx, session_id))
        if session is None:
            return None
        transcript = await self._database.write(lambda tx: _begun(tx, session, chat=chat))
        if session.state == "active":
            why = await self._transcribe(session, transcript)
            now = await self._database.read(lambda tx: presence.session_by_id(tx, session_id))
            if now is not None and now.state != "ended":
                _log.warning("transcription_interrupted", session_id=session_id, reason=why)
                raise Retry(why, after_seconds=_RETRY_SECONDS, counted=False)
        return lambda tx: _ended(tx, self._queue, session_id)

    async def _transcribe(self, session: Session, transcript: Transcript) -> str:
        """Follow the room until it is left; why it was."""
        try:
            # To join a room that is over would make another one.
            room = await self._gateway.find_room(session.livekit_room)
        except Problem as problem:
            return problem.detail
        if room is None or room.sid != session.room_sid:
            return "LiveKit does not list the room any more."
        endpoint = self._gateway.endpoint
        order = Subscribe(
            new_id("sub"),
            endpoint.signal_url,
            own_token(endpoint, session.livekit_room, "transcriber"),
            transcript.chat,
        )
        try:
            async with self._transcriber.subscribe(order) as reports:
                return await self._store_reports(session, reports)
        except (TranscriberLost, OSError) as error:
            return str(error)

    async def _store_reports(self, session: Session, reports: AsyncIterator[Report]) -> str:
        """Store what is reported until the room is left; why it was."""
        assembler, writer = SegmentAssembler(), _SegmentWriter(self._database, session.id)
        try:
            async for report in reports:
                if isinstance(report, TextStream):
                    if (segment := assembler.take(report)) is not None:
                        writer.add(segment)
                elif isinstance(report, Joined):
                    if report.room_sid != session.room_sid:
                        return "The room ended, and another one of its name began."
                    await self._database.write(lambda tx: _joined(tx, session.id))
                else:
                    return f"The room was left: {report.reason}."
        finally:
            await writer.close()
        return "The room was left."


class _SegmentWriter:
    """Writes segments as they come: what comes during a write goes with the next one, only as it is then."""

    def __init__(self, database: Database, session_id: str) -> None:
        self._database = database
        self._session_id = session_id
        self._waiting: dict[tuple[str, str, str], Segment] = {}
        self._writing: asyncio.Task[None] | None = None

    def add(self, segment: Segment) -> None:
        key = segment.kind, segment.speaker, segment.segment_id
        waiting = self._waiting.get(key)
        if waiting is None or segment.final or not waiting.final:  # interim text may come after final text
            self._waiting[key] = segment
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name=f"transcript {self._session_id}")

    async def close(self) -> None:
        """Return when everything is written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.result()

    async def _write(self) -> None:
        while self._waiting:
            segments, self._waiting = list(self._waiting.values()), {}
            while True:
                try:
                    await self._database.write(
                        lambda tx, segments=segments: store_segments(tx, self._session_id, segments)
                    )
                    break
                except StorageUnavailable:
                    await asyncio.sleep(_STORAGE_RETRY_SECONDS)


def store_segments(tx: Transaction, session_id: str, segments: Sequence[Segment]) -> None:
    """Store segments, unless the transcript was deleted meanwhile or has as many as it may."""
    transcript = store.transcript_of(tx, session_id, locked=True)
    if transcript is None or transcript.truncated:
        return
    if store.count_segments(tx, session_id) + len(segments) > MOST_SEGMENTS:
        store.update_transcript(tx, replace(transcript, truncated=True))
        return
    store.save_segments(tx, session_id, segments)


def _begun(tx: Transaction, session: Session, *, chat: bool) -> Transcript:
    known = store.transcript_of(tx, session.id, locked=True)
    if known is None:
        new = Transcript(session.id, session.app_id, "recording", chat, now_ms())
        store.insert_transcript(tx, new)
        return new
    again = replace(known, state="recording", ended_at=None, archived_at=None, chat=known.chat or chat)
    if again != known:
        store.update_transcript(tx, again)
    return again


def _joined(tx: Transaction, session_id: str) -> None:
    transcript = store.transcript_of(tx, session_id, locked=True)
    if transcript is None:
        return
    if transcript.joined_at is None:
        store.update_transcript(tx, replace(transcript, joined_at=now_ms()))
    else:
        store.update_transcript(tx, replace(transcript, interruptions=transcript.interruptions + 1))


def _ended(tx: Transaction, queue: Queue, session_id: str) -> Transcript | None:
    transcript = store.transcript_of(tx, session_id, locked=True)
    if transcript is None or transcript.state != "recording":
        return transcript
    ended = replace(transcript, state="ended", ended_at=now_ms())
    store.update_transcript(tx, ended)
    queue.put(tx, NewJob(ARCHIVE, {"session": session_id}, session_id))
    return ended
