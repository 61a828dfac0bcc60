"""`/apps/{app}/sessions`: the lives of rooms, with who was there and what happened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from stagedoor.api.access import SessionsRead
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import Parts
from stagedoor.api.wire import NO_NUL, Answer, AppRef, Cursor, Data, Limit, Page, Timestamp, page, when
from stagedoor.events.catalogue import CATALOGUE
from stagedoor.events.nouns import Event
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.rooms import names, sessions, store
from stagedoor.rooms.nouns import Participant, Track
from stagedoor.rooms.sessions import SessionView
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App

router = APIRouter(prefix=f"{PREFIX}/apps/{{app}}/sessions", tags=["Sessions"])

TimeSourceField = Literal["livekit", "received", "reconcile", "session_end"]
_SOURCES = (
    "Where the time comes from: LiveKit's clock, our receipt of the event, the last sign of life before LiveKit no"
    " longer listed it, or the end of what it was in."
)


class SessionTrack(Answer):
    """A track of a participant."""

    sid: str = Field(description="LiveKit's SID.", examples=["TR_VCd3xZ9q4Yb7aE"])
    kind: str = Field(description="audio, video or data.", examples=["video"])
    source: str = Field(description="Where it came from.", examples=["camera"])
    mime_type: str = Field(description="Codec.", examples=["video/VP8"])
    published_at: str = Field(description="When it began.", examples=["2026-01-31T12:00:00.000Z"])
    published_at_source: TimeSourceField = Field(description=_SOURCES, examples=["received"])
    unpublished_at: str | None = Field(
        description="When it ended; null while it lasts.", examples=["2026-01-31T12:00:00.000Z"]
    )
    unpublished_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["received"])


class SessionParticipant(Answer):
    """Somebody who was in the session. A person who comes back is there twice, with two SIDs."""

    sid: str = Field(description="LiveKit's SID of this presence.", examples=["PA_5vQ2mT8xYb1c"])
    identity: str = Field(description="Who it was.", examples=["phone-42"])
    name: str = Field(description="Name that others saw.", examples=["Ada"])
    kind: str = Field(description="standard, ingress, egress, sip, agent …", examples=["standard"])
    state: Literal["joining", "active", "left", "aborted"] = Field(
        description="`aborted` tried to come in and did not arrive.", examples=["left"]
    )
    joined_at: str | None = Field(
        description="When it became active; null if it never did.", examples=["2026-01-31T12:00:00.000Z"]
    )
    joined_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["livekit"])
    left_at: str | None = Field(
        description="When it left; null while it is there.", examples=["2026-01-31T12:30:00.000Z"]
    )
    left_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["received"])
    duration_ms: int | None = Field(
        description="Milliseconds from joining to leaving; null while it is there.", examples=[1_800_000]
    )
    reason: str | None = Field(
        description="LiveKit's reason for the leaving; null when it gave none.", examples=["CLIENT_INITIATED"]
    )
    tracks: list[SessionTrack] = Field(description="What it published.")


class TimelineEntry(Answer):
    """Something that happened."""

    at: str = Field(description="When.", examples=["2026-01-31T12:00:00.000Z"])
    type: str = Field(description="What: " + ", ".join(CATALOGUE) + ".", examples=["participant.joined"])
    origin: Literal["webhook", "reconcile", "api"] = Field(
        description="How we know: LiveKit told us, we found it by comparing, or a caller did it through us.",
        examples=["webhook"],
    )
    subject: str = Field(description="About whom or what.", examples=["phone-42"])
    detail: dict[str, Any] = Field(description="More.", examples=[{"sid": "PA_5vQ2mT8xYb1c"}])


class SessionBody(Answer):
    """One life of a room, with all that happened in it."""

    id: str = Field(description="Identifier.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str = Field(description="The app's slug.", examples=["live"])
    room: str = Field(description="The room's short name.", examples=["demo"])
    livekit_room: str = Field(description="The room's LiveKit name.", examples=["live-demo"])
    room_sid: str = Field(description="LiveKit's SID of this life.", examples=["RM_hycBMAjmt6Ub"])
    state: Literal["active", "ended"] = Field(description="Whether it lasts.", examples=["ended"])
    started_at: str = Field(description="When it began.", examples=["2026-01-31T12:00:00.000Z"])
    started_at_source: TimeSourceField = Field(description=_SOURCES, examples=["livekit"])
    ended_at: str | None = Field(
        description="When it ended; null while it lasts.", examples=["2026-01-31T12:30:00.000Z"]
    )
    ended_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["received"])
    duration_ms: int | None = Field(description="Milliseconds; null while it lasts.", examples=[1_800_000])
    disposition: str | None = Field(
        description="How it ended: completed, terminated, failed, rejected, no_answer, abandoned, expired, server_lost;"
        " null while it lasts.",
        examples=["completed"],
    )
    peak_participants: int = Field(description="The most participants at the same time.", examples=[2])
    participants: list[SessionParticipant] = Field(description="Who was there.")
    timeline: list[TimelineEntry] = Field(
        description="What happened, in the order in which we came to know: the first 5,000 entries, 500 in a list."
    )


def _track(track: Track) -> SessionTrack:
    return SessionTrack(
        sid=track.sid,
        kind=track.kind,
        source=track.source,
        mime_type=track.mime_type,
        published_at=rfc3339(track.published_at),
        published_at_source=track.published_at_source,
        unpublished_at=when(track.unpublished_at),
        unpublished_at_source=track.unpublished_at_source,
    )


def _participant(person: Participant, tracks: list[SessionTrack]) -> SessionParticipant:
    return SessionParticipant(
        sid=person.sid,
        identity=person.identity,
        name=person.name,
        kind=person.kind,
        state=person.state,
        joined_at=when(person.joined_at),
        joined_at_source=person.joined_at_source,
        left_at=when(person.left_at),
        left_at_source=person.left_at_source,
        duration_ms=person.duration_ms,
        reason=person.reason,
        tracks=tracks,
    )


def _body(app: App, view: SessionView) -> SessionBody:
    session = view.session
    return SessionBody(
        id=session.id,
        app=app.slug,
        room=session.room,
        livekit_room=session.livekit_room,
        room_sid=session.room_sid,
        state=session.state,
        started_at=rfc3339(session.started_at),
        started_at_source=session.started_at_source,
        ended_at=when(session.ended_at),
        ended_at_source=session.ended_at_source,
        duration_ms=session.duration_ms,
        disposition=session.disposition,
        peak_participants=session.peak_participants,
        participants=[
            _participant(person, [_track(track) for track in tracks]) for person, tracks in view.participants
        ],
        timeline=[_entry(event) for event in view.timeline],
    )


def _entry(event: Event) -> TimelineEntry:
    return TimelineEntry(
        at=rfc3339(event.at),
        type=event.type,
        origin=event.origin,
        subject=event.subject,
        detail=dict(event.detail),
    )


@router.get("", summary="List sessions", responses=documented(401, 403, 404, 422, 503))
async def list_sessions(
    parts: Parts,
    caller: SessionsRead,
    app: AppRef,
    room: Annotated[
        str | None,
        Query(
            max_length=256,
            pattern=NO_NUL,
            description="Only this room's, by short or LiveKit name.",
            examples=["demo"],
        ),
    ] = None,
    state: Annotated[
        Literal["active", "ended"] | None,
        Query(description="Only those that last, or have ended.", examples=["ended"]),
    ] = None,
    since: Annotated[
        Timestamp | None,
        Query(description="Only those that began at or after.", examples=["2026-01-31T00:00:00Z"]),
    ] = None,
    until: Annotated[
        Timestamp | None,
        Query(description="Only those that began before.", examples=["2026-02-01T00:00:00Z"]),
    ] = None,
    timeline: Annotated[bool, Query(description="Whether to list what happened too.", examples=[True])] = True,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[SessionBody]:
    """Newest first."""

    def look(tx: Transaction) -> tuple[App, list[SessionView]]:
        found = apps.get(tx, caller, app)
        listed = store.list_sessions(
            tx,
            found.id,
            livekit_room=names.livekit_name(found.slug, room) if room is not None else None,
            state=state,
            since=from_rfc3339(since) if since else None,
            until=from_rfc3339(until) if until else None,
            before=cursor,
            limit=limit + 1,
        )
        shown = sessions.LISTED_TIMELINE_LIMIT if timeline else 0
        return found, sessions.views(tx, listed, timeline_limit=shown)

    found, views = await parts.database.read(look)
    return page([_body(found, view) for view in views], limit, lambda item: item.id)


@router.get("/{session}", summary="Get a session", responses=documented(401, 403, 404, 422, 503))
async def get_session(
    parts: Parts,
    caller: SessionsRead,
    app: AppRef,
    reference: Annotated[
        str,
        Path(
            alias="session",
            max_length=64,
            pattern=NO_NUL,
            description="The session's id.",
            examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
        ),
    ],
) -> Data[SessionBody]:
    """With participants, tracks and timeline."""

    def look(tx: Transaction) -> tuple[App, SessionView]:
        found = apps.get(tx, caller, app)
        return found, sessions.get(tx, found, reference)

    found, view = await parts.database.read(look)
    return Data(data=_body(found, view))
