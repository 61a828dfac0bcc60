"""`/apps/{app}/sessions/{session}/transcript`: the speech and the chat of a session as text."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from stagedoor.api.authentication import TranscriptsRead, TranscriptsWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.sessions import SessionRef
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Data, RequestModel, ResponseModel, meanings
from stagedoor.audit import store as trail
from stagedoor.kernel.errors import NotFound
from stagedoor.rooms import presence, sessions
from stagedoor.rooms.nouns import Session
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal
from stagedoor.transcripts import archiving, formats, store, transcription
from stagedoor.transcripts.formats import FORMATS, Format, Whole
from stagedoor.transcripts.nouns import TRANSCRIPT_STATES, SegmentKind, TranscriptState

router = APIRouter(route_class=DeferredRoute, prefix=PREFIX, tags=["Transcripts"])

_HERE: Final = "/apps/{app}/sessions/{session}/transcript"
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The transcript in the format that was asked for.",
        "content": {
            "text/vtt": {"schema": {"type": "string"}, "example": "WEBVTT\n"},
            "text/plain": {"schema": {"type": "string"}, "example": "[00:00:01] Ada: Good morning.\n"},
        },
    }
}
FormatField = Annotated[Format, Query(description="JSON, WebVTT or plain text.", examples=["vtt"])]


class TranscriptSegment(ResponseModel):
    """An utterance or a chat message of a participant."""

    kind: SegmentKind = Field(description="Speech, or a chat message.", examples=["speech"])
    id: str = Field(description="The segment's id; with the speaker it is unique.", examples=["SG_8f2d1c"])
    speaker: str = Field(description="The participant's identity.", examples=["phone-42"])
    name: str | None = Field(description="The participant's name then.", examples=["Ada"])
    track_sid: str | None = Field(description="The track that it was heard on.", examples=["TR_AMq7dPzXw2"])
    language: str | None = Field(description="As the transcriber tagged it.", examples=["en-GB"])
    text: str = Field(description="The words.", examples=["Good morning."])
    final: bool = Field(description="False for interim text that no final text followed.", examples=[True])
    started_at: str = Field(description="When its first words came.", examples=["2026-01-31T12:00:01.000Z"])
    ended_at: str = Field(description="When its last words came.", examples=["2026-01-31T12:00:03.000Z"])
    offset_ms: int = Field(description="Milliseconds from the session's start.", examples=[1000])


class TranscriptBody(ResponseModel):
    """The transcript of a session."""

    session: str = Field(description="The session's id.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str = Field(description="The app's slug.", examples=["live"])
    room: str = Field(description="The room's short name.", examples=["demo"])
    livekit_room: str = Field(description="The room's LiveKit name.", examples=["live-demo"])
    state: TranscriptState = Field(description=meanings(TRANSCRIPT_STATES), examples=["archived"])
    chat: bool = Field(description="What is written in the chat is in it.", examples=[False])
    started_at: str | None = Field(
        description="When recording began; null until then.", examples=["2026-01-31T12:00:00.500Z"]
    )
    ended_at: str | None = Field(
        description="When recording ended; null until then.", examples=["2026-01-31T12:30:00.000Z"]
    )
    interruptions: int = Field(
        description="How often recording was interrupted: what was spoken meanwhile is missing.", examples=[0]
    )
    truncated: bool = Field(
        description="The transcript reached its largest size; what followed is missing.", examples=[False]
    )
    segments: list[TranscriptSegment] = Field(description="In the order in which they began.")


class TranscriptWish(RequestModel):
    """What to record."""

    chat: bool = Field(default=False, description="Record what is written in the chat as well.", examples=[True])


def _find(tx: Transaction, caller: Principal, app: str, reference: str) -> tuple[App, Session]:
    found = apps.get(tx, caller, app)
    return found, sessions.find(tx, found, reference)


def _whole(tx: Transaction, app: App, session: Session) -> Whole:
    transcript = store.transcript_of(tx, session.id)
    if transcript is None:
        raise NotFound("This session has no transcript.", code="transcript_not_found")
    return Whole(app.slug, session, transcript, store.segments_of(tx, session.id))


def _answer(whole: Whole, wanted: Format) -> Response:
    content_type, render = FORMATS[wanted]
    if wanted == "json":
        return JSONResponse({"data": formats.fields(whole)})
    return Response(render(whole), media_type=content_type)


@router.post(
    _HERE, status_code=201, summary="Begin a transcript", responses=documented(400, 401, 403, 404, 409, 413, 422, 503)
)
async def begin_transcript(
    services: ServicesDep,
    caller: TranscriptsWrite,
    app: AppRef,
    reference: SessionRef,
    wish: TranscriptWish | None = None,
) -> Data[TranscriptBody]:
    """A hidden participant joins the session's room and records what agents transcribe (`lk.transcription`) and, if
    asked for, the chat (`lk.chat`). After a stop, recording goes on."""
    chat = wish is not None and wish.chat

    def begin(tx: Transaction) -> Whole:
        found, session = _find(tx, caller, app, reference)
        transcription.start(tx, services.queue, session, chat=chat)
        _note(tx, caller, "transcript.begun", found, session)
        return _whole(tx, found, session)

    return Data(data=TranscriptBody.model_validate(formats.fields(await services.database.write(begin))))


@router.get(
    _HERE,
    summary="Get a transcript",
    response_model=Data[TranscriptBody],
    responses=_FILES | documented(401, 403, 404, 422, 503),
)
async def get_transcript(
    services: ServicesDep, caller: TranscriptsRead, app: AppRef, reference: SessionRef, format: FormatField = "json"
) -> Response:
    """While it is recorded, as far as it has come; afterwards the whole. `vtt` and `txt` are files, not JSON."""
    whole = await services.database.read(lambda tx: _whole(tx, *_find(tx, caller, app, reference)))
    return _answer(whole, format)


@router.get(
    "/sessions/{session}/transcript",
    summary="Get a transcript by its session's id",
    response_model=Data[TranscriptBody],
    responses=_FILES | documented(401, 403, 404, 422, 503),
)
async def get_transcript_of_session(
    services: ServicesDep,
    caller: TranscriptsRead,
    session_id: Annotated[
        str,
        Path(
            alias="session",
            max_length=64,
            pattern=NO_NUL,
            description="The session's id.",
            examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
        ),
    ],
    format: FormatField = "json",
) -> Response:
    """For a caller who knows the session, but not its app: a handler of `session.ended`, for instance."""

    def read(tx: Transaction) -> Whole:
        session = presence.session_by_id(tx, session_id)
        if session is None:
            raise NotFound("There is no such session.", code="session_not_found")
        try:
            app = apps.get(tx, caller, session.app_id)
        except NotFound:
            raise NotFound("There is no such session.", code="session_not_found") from None
        return _whole(tx, app, session)

    return _answer(await services.database.read(read), format)


@router.post(f"{_HERE}/stop", summary="Stop a transcript", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def stop_transcript(
    services: ServicesDep, caller: TranscriptsWrite, app: AppRef, reference: SessionRef
) -> Data[TranscriptBody]:
    """The session goes on without being recorded. What was recorded is archived."""

    def end(tx: Transaction) -> Whole:
        found, session = _find(tx, caller, app, reference)
        _whole(tx, found, session)
        transcription.stop(tx, services.queue, session)
        _note(tx, caller, "transcript.stopped", found, session)
        return _whole(tx, found, session)

    return Data(data=TranscriptBody.model_validate(formats.fields(await services.database.write(end))))


@router.delete(
    _HERE, status_code=204, summary="Delete a transcript", responses=documented(401, 403, 404, 409, 422, 503)
)
async def delete_transcript(
    services: ServicesDep, caller: TranscriptsWrite, app: AppRef, reference: SessionRef
) -> Response:
    """Here and in the object storage. One that is being recorded is stopped first."""

    def delete(tx: Transaction) -> None:
        found, session = _find(tx, caller, app, reference)
        _whole(tx, found, session)
        transcription.stop(tx, services.queue, session)
        archiving.delete(tx, services.queue, found.organisation_id, found.id, session.id)
        _note(tx, caller, "transcript.deleted", found, session)

    await services.database.write(delete)
    return Response(status_code=204)


def _note(tx: Transaction, caller: Principal, action: str, app: App, session: Session) -> None:
    trail.note(tx, caller, action, session.id, organisation_id=app.organisation_id, app_id=app.id)
