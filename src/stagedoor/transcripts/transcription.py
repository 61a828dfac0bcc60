"""Recording: a job for each session that is listened to, for as long as the session lasts.

The job's lease is what brings a listener back: when this process dies, or the scribe's does, the job is taken up again
and its next attempt joins the room anew. What was said in between is missing, and counted as an interruption.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from stagedoor.jobs.nouns import Effect, Job, JobKind, NewJob, Retry
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.store import unfinished_of_key
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, Problem, StorageUnavailable
from stagedoor.kernel.ids import new_id
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.signing import access_token
from stagedoor.mediaserver.snapshots import OWN_IDENTITY, clean
from stagedoor.rooms import store as rooms_store
from stagedoor.rooms.nouns import Session
from stagedoor.rooms.session_jobs import RECORD
from stagedoor.storage import Database, Transaction
from stagedoor.transcripts import store
from stagedoor.transcripts.archiving import ARCHIVE
from stagedoor.transcripts.nouns import Segment, Transcript
from stagedoor.transcripts.protocol import Attend, Heard, Joined, Report
from stagedoor.transcripts.transcriber import Transcriber, TranscriberLost

_LONGEST_SECONDS: Final = 30 * 86_400.0
_AGAIN_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 1.0
_AT_ONCE: Final = 200
_JOIN_SECONDS: Final = 300
"""How long its join token lives: it is used at once."""
MOST_SEGMENTS: Final = 100_000
"""Of one session: five a second for five hours. What follows is not stored, and the transcript says so."""


def ask(tx: Transaction, queue: Queue, session: Session, *, chat: bool) -> Transcript:
    """Begin to record a session, or go on after a stop.

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
    """Stop recording; what was recorded is archived."""
    ended = _ended(tx, queue, session.id)
    job = unfinished_of_key(tx, RECORD, session.id)
    if job is not None:
        queue.cancel(tx, job.id)
    return ended


def cancelled(tx: Transaction, queue: Queue, job: Job) -> None:
    """An operator cancelled the job: what was recorded is archived, as after a stop."""
    _ended(tx, queue, str(job.payload["session"]))


class Recorder:
    """Works on the jobs."""

    def __init__(self, database: Database, queue: Queue, gateway: LiveKitGateway, transcriber: Transcriber) -> None:
        self._database = database
        self._queue = queue
        self._gateway = gateway
        self._transcriber = transcriber

    def kind(self) -> JobKind:
        """The job."""
        return JobKind(RECORD, self._record, timeout_seconds=_LONGEST_SECONDS, concurrency=_AT_ONCE)

    async def _record(self, job: Job) -> Effect | None:
        session_id, chat = str(job.payload["session"]), bool(job.payload["chat"])
        session = await self._database.read(lambda tx: rooms_store.session_anywhere(tx, session_id))
        if session is None:
            return None
        transcript = await self._database.write(lambda tx: _begun(tx, session, chat=chat))
        if session.state == "active":
            why = await self._attend(session, transcript)
            now = await self._database.read(lambda tx: rooms_store.session_anywhere(tx, session_id))
            if now is not None and now.state != "ended":
                raise Retry(why, after_seconds=_AGAIN_SECONDS, counted=False)
        return lambda tx: _ended(tx, self._queue, session_id)

    async def _attend(self, session: Session, transcript: Transcript) -> str:
        """Listen until the room is left; why it was."""
        try:
            # To join a room that is over would make another one.
            room = await self._gateway.find_room(session.livekit_room)
        except Problem as problem:
            return problem.detail
        if room is None or room.sid != session.room_sid:
            return "LiveKit does not list the room any more."
        endpoint = self._gateway.endpoint
        order = Attend(
            new_id("att"),
            endpoint.signal_url,
            _join_token(endpoint, session.livekit_room),
            transcript.chat,
        )
        try:
            async with self._transcriber.attending(order) as reports:
                return await self._listen(session, reports)
        except (TranscriberLost, OSError) as error:
            return str(error)

    async def _listen(self, session: Session, reports: AsyncIterator[Report]) -> str:
        page = _Page(self._database, session.id)
        try:
            async for report in reports:
                if isinstance(report, Heard):
                    page.add(report)
                elif isinstance(report, Joined):
                    if report.room_sid != session.room_sid:
                        return "The room ended, and another one of its name began."
                    await self._database.write(lambda tx: _joined(tx, session.id))
                else:
                    return f"The room was left: {report.reason}."
        finally:
            await page.close()
        return "The room was left."


class _Page:
    """Writes segments as they come: what comes during a write goes with the next one, only as it is then."""

    def __init__(self, database: Database, session_id: str) -> None:
        self._database = database
        self._session_id = session_id
        self._waiting: dict[tuple[str, str, str], Segment] = {}
        self._writing: asyncio.Task[None] | None = None

    def add(self, heard: Heard) -> None:
        segment = Segment(
            heard.kind,
            clean(heard.speaker),
            clean(heard.segment_id),
            clean(heard.name),
            None if heard.track_sid is None else clean(heard.track_sid, 64),
            None if heard.language is None else clean(heard.language),
            clean(heard.text, len(heard.text)),
            heard.final,
            heard.started_at,
            heard.ended_at,
        )
        key = segment.kind, segment.speaker, segment.segment_id
        waiting = self._waiting.get(key)
        if waiting is None or segment.final or not waiting.final:  # a guess may come after what is final
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
            heard, self._waiting = list(self._waiting.values()), {}
            while True:
                try:
                    await self._database.write(lambda tx, heard=heard: _store(tx, self._session_id, heard))
                    break
                except StorageUnavailable:
                    await asyncio.sleep(_AWAY_SECONDS)


def _store(tx: Transaction, session_id: str, heard: Sequence[Segment]) -> None:
    transcript = store.transcript_of(tx, session_id, locked=True)
    if transcript is None or transcript.truncated:
        return  # deleted meanwhile, or full
    if store.count_segments(tx, session_id) + len(heard) > MOST_SEGMENTS:
        store.update_transcript(tx, replace(transcript, truncated=True))
        return
    store.save_segments(tx, session_id, heard)


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


def _join_token(endpoint: Endpoint, livekit_room: str) -> str:
    """A join token that lets one listen unseen, and nothing else.

    LiveKit counts agents neither among a room's participants nor as somebody for whom it stays open
    (pkg/rtc/participant.go `IsDependent`, room.go `CloseIfEmpty`).
    """
    from livekit import api  # not at the start, which it would make a tenth longer

    grants = api.VideoGrants(
        room_join=True,
        room=livekit_room,
        hidden=True,
        can_subscribe=True,
        can_publish=False,
        can_publish_data=False,
    )
    return access_token(endpoint, grants, _JOIN_SECONDS, identity=f"{OWN_IDENTITY}scribe", kind="agent")
