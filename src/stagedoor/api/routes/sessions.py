"""`/apps/{app}/sessions`: the lives of rooms, with who was there and what happened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from stagedoor.api.authentication import SessionsRead
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.usage import UsageMinutes
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Cursor, Data, Limit, Page, ResponseModel, Timestamp, page, when
from stagedoor.events.catalogue import CATALOGUE
from stagedoor.events.nouns import Event
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.rooms import sessions, store
from stagedoor.rooms.nouns import Participant, Plan, Track
from stagedoor.rooms.sessions import SessionView
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, room_names
from stagedoor.tenancy.nouns import App

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/sessions", tags=["Sessions"])

TimeSourceField = Literal["livekit", "received", "reconcile", "session_end"]
_SOURCES = (
    "Where the time comes from: LiveKit's clock, our receipt of the event, the last sign of life before LiveKit no"
    " longer listed it, or the end of what it was in."
)

SessionRef = Annotated[
    str,
    Path(
        alias="session",
        max_length=256,
        pattern=NO_NUL,
        description="The session's id, or a room's short or LiveKit name: then its last session.",
        examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class SessionTrack(ResponseModel):
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


class SessionParticipant(ResponseModel):
    """A participant of the session. A person who joins again is two participants, with two SIDs."""

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
    tracks: list[SessionTrack] = Field(description="The tracks that the participant published.")


class TimelineEntry(ResponseModel):
    """Something that happened."""

    at: str = Field(description="When.", examples=["2026-01-31T12:00:00.000Z"])
    type: str = Field(description="What: " + ", ".join(CATALOGUE) + ".", examples=["participant.joined"])
    origin: Literal["webhook", "reconcile", "api"] = Field(
        description="Where the event comes from: LiveKit's webhook, a reconcile with its lists, or a call of the API.",
        examples=["webhook"],
    )
    subject: str = Field(description="About whom or what.", examples=["phone-42"])
    detail: dict[str, Any] = Field(
        description="The details of the event, by its type.", examples=[{"sid": "PA_5vQ2mT8xYb1c"}]
    )


class SessionLimits(ResponseModel):
    """What an announced session is held to. Seconds; null is LiveKit's own default, or no limit."""

    max_duration: int | None = Field(description="The room is ended after so long.", examples=[3600])
    empty_timeout: int | None = Field(
        description="Seconds for which the room waits for its first participant.", examples=[300]
    )
    departure_timeout: int | None = Field(
        description="Seconds that the room stays open after the last participant left.", examples=[20]
    )
    max_participants: int | None = Field(description="Participants at the most.", examples=[10])
    wait_until: str = Field(
        description="A room that has not come by then does not come.", examples=["2026-02-01T12:00:00.000Z"]
    )


class SessionAgent(ResponseModel):
    """An agent that LiveKit calls into the room."""

    agent_name: str = Field(description="The agent's name.", examples=["helper"])
    metadata: str = Field(description="Its metadata.", examples=["{}"])


class SessionBody(ResponseModel):
    """One life of a room, with all that happened in it."""

    id: str = Field(description="Identifier.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str = Field(description="The app's slug.", examples=["live"])
    room: str = Field(description="The room's short name.", examples=["demo"])
    livekit_room: str = Field(description="The room's LiveKit name.", examples=["live-demo"])
    room_sid: str | None = Field(
        description="LiveKit's SID of this life; null if it has not begun.", examples=["RM_hycBMAjmt6Ub"]
    )
    state: Literal["created", "active", "ended"] = Field(
        description="`created` was announced and waits for its room.", examples=["ended"]
    )
    kind: Literal["voice", "video"] | None = Field(
        description="The kind that the session was announced as; null if it was not.", examples=["video"]
    )
    metadata: str | None = Field(
        description="The backend's own, given when it was announced; null if it was not.", examples=["{}"]
    )
    limits: SessionLimits | None = Field(
        description="The limits that the session was announced with; null if it was not."
    )
    agents: list[SessionAgent] = Field(description="Agents that LiveKit calls into the room.")
    created_at: str = Field(description="When we came to know of it.", examples=["2026-01-31T12:00:00.000Z"])
    started_at: str | None = Field(
        description="When it began; null if it has not.", examples=["2026-01-31T12:00:00.000Z"]
    )
    started_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["livekit"])
    ended_at: str | None = Field(
        description="When it ended; null while it lasts.", examples=["2026-01-31T12:30:00.000Z"]
    )
    ended_at_source: TimeSourceField | None = Field(description=_SOURCES, examples=["received"])
    duration_ms: int | None = Field(description="Milliseconds; null while it lasts.", examples=[1_800_000])
    disposition: str | None = Field(
        description="How it ended: completed, terminated, timed_out, failed, rejected, no_answer, abandoned, expired,"
        " server_lost; null while it lasts.",
        examples=["completed"],
    )
    peak_participants: int = Field(description="The most participants at the same time.", examples=[2])
    usage: UsageMinutes | None = Field(description="What the session used; null until it has ended.")
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


def body_of(app: App, view: SessionView) -> SessionBody:
    """A session for the wire."""
    return SessionBody.model_validate(fields_of(app, view))


def fields_of(app: App, view: SessionView) -> dict[str, Any]:
    """The fields of a session for the wire."""
    session, plan = view.session, view.plan
    begun = session.room_sid is not None
    return {
        "id": session.id,
        "app": app.slug,
        "room": session.room,
        "livekit_room": session.livekit_room,
        "room_sid": session.room_sid,
        "state": session.state,
        "kind": plan and plan.kind,
        "metadata": plan and plan.metadata,
        "limits": plan and _limits(plan),
        "agents": [SessionAgent(agent_name=name, metadata=text) for name, text in (plan.agents if plan else ())],
        "created_at": rfc3339(plan.created_at if plan else session.started_at),
        "started_at": when(session.started_at if begun else None),
        "started_at_source": session.started_at_source if begun else None,
        "ended_at": when(session.ended_at),
        "ended_at_source": session.ended_at_source,
        "duration_ms": session.duration_ms if begun else None,
        "disposition": session.disposition,
        "peak_participants": session.peak_participants,
        "usage": UsageMinutes.of(view.usage) if view.usage else None,
        "participants": [
            _participant(person, [_track(track) for track in tracks]) for person, tracks in view.participants
        ],
        "timeline": [_entry(event) for event in view.timeline],
    }


def _limits(plan: Plan) -> SessionLimits:
    return SessionLimits(
        max_duration=plan.max_duration,
        empty_timeout=plan.empty_timeout,
        departure_timeout=plan.departure_timeout,
        max_participants=plan.max_participants,
        wait_until=rfc3339(plan.wait_until),
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
    services: ServicesDep,
    caller: SessionsRead,
    app: AppRef,
    room: Annotated[
        str | None,
        Query(
            max_length=256,
            pattern=NO_NUL,
            description="Only sessions of this room, by short or LiveKit name.",
            examples=["demo"],
        ),
    ] = None,
    state: Annotated[
        Literal["created", "active", "ended"] | None,
        Query(description="Only those of this state.", examples=["ended"]),
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
            livekit_room=room_names.livekit_name(found.slug, room) if room is not None else None,
            state=state,
            since=from_rfc3339(since) if since else None,
            until=from_rfc3339(until) if until else None,
            before=cursor,
            limit=limit + 1,
        )
        shown = sessions.LISTED_TIMELINE_LIMIT if timeline else 0
        return found, sessions.views(tx, listed, timeline_limit=shown)

    found, views = await services.database.read(look)
    return page([body_of(found, view) for view in views], limit, lambda item: item.id)


@router.get("/{session}", summary="Get a session", responses=documented(401, 403, 404, 422, 503))
async def get_session(
    services: ServicesDep,
    caller: SessionsRead,
    app: AppRef,
    reference: SessionRef,
) -> Data[SessionBody]:
    """With participants, tracks and timeline."""

    def look(tx: Transaction) -> tuple[App, SessionView]:
        found = apps.get(tx, caller, app)
        return found, sessions.get(tx, found, reference)

    found, view = await services.database.read(look)
    return Data(data=body_of(found, view))
