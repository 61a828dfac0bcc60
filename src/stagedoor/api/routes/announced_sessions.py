"""`POST /apps/{app}/sessions`: a session ahead of its room, and its early end."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from msgspec import Meta
from pydantic import Field, StringConstraints

from stagedoor.access.grants import JoinRequest
from stagedoor.access.room_access import require_action
from stagedoor.api.addresses import watching_urls
from stagedoor.api.authentication import SessionsWrite, SessionsWriteOrAction
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.joining import AgentDispatch, Duration, NewParticipant, RoomLimitsBody, agents_of, seconds_of
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.sessions import SessionBody, SessionRef, body_of, fields_of
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Data, RequestModel, ResponseModel
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Invalid
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import ending, plans, sessions
from stagedoor.rooms.nouns import SESSION, Session
from stagedoor.rooms.plans import Wanted
from stagedoor.rooms.sessions import SessionView
from stagedoor.rooms.settings import TranscriptPolicy
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/sessions", tags=["Sessions"])

_LONGEST: Final = 30 * 86_400


class NewSessionLimits(RoomLimitsBody, frozen=True, kw_only=True):
    """What the session is held to. Durations are 90s, 10m, 1h, 2d, or seconds."""

    max_duration: Annotated[Duration | None, Meta(description="The room is ended after so long.", examples=["1h"])] = (
        None
    )
    wait: Annotated[
        Duration,
        Meta(description="A session whose room has not started after so long has expired.", examples=["24h"]),
    ] = plans.DEFAULT_WAIT


class NewSession(RequestModel):
    """A session to announce."""

    kind: Literal["voice", "video"] = Field(
        default="video", description="In a `voice` session no participant may publish a picture.", examples=["voice"]
    )
    room_name: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)] | None = Field(
        default=None,
        description="The room's short or LiveKit name; the session's id if not given.",
        examples=["support-4711"],
    )
    metadata: Annotated[str, StringConstraints(max_length=65_536, pattern=NO_NUL)] = Field(
        default="", description="The backend's own; the room gets it too.", examples=["{}"]
    )
    agents: list[AgentDispatch] = Field(
        default=[], max_length=20, description="Agents that LiveKit calls into the room."
    )
    transcript: TranscriptPolicy | None = Field(
        default=None,
        description="What is recorded: speech that agents transcribe, and chat; the app's setting if not given.",
        examples=["speech"],
    )
    limits: NewSessionLimits = Field(default=NewSessionLimits(), description="What the session is held to.")
    participants: list[NewParticipant] = Field(
        default_factory=lambda: [NewParticipant()],
        max_length=100,
        description="Who gets a join token; one, with a made-up identity, by default.",
    )


class SessionToken(ResponseModel):
    """What one participant joins with."""

    identity: str = Field(description="Who it is for.", examples=["phone-42"])
    token: str = Field(description="The join token.", examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])
    ws_url: str = Field(description="LiveKit's address.", examples=["wss://media.example.com"])
    play_url: str = Field(
        description="Page to watch the room.", examples=["https://stagedoor.example.com/play/live/live-demo"]
    )
    expires_at: str = Field(description="When the token ends.", examples=["2026-01-31T13:00:00.000Z"])
    warning: str | None = Field(
        description="What may keep a browser from using the token; null as a rule.", examples=[None]
    )


class NewSessionBody(SessionBody):
    """A session that was announced, with the tokens to join it."""

    tokens: list[SessionToken] = Field(description="One for each participant, in the same order.")


@router.post(
    "",
    status_code=201,
    summary="Announce a session",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_session(
    services: ServicesDep, caller: SessionsWrite, app: AppRef, body: NewSession
) -> Data[NewSessionBody]:
    """A session ahead of its room, whose short name is the session's id unless you give one. LiveKit makes the room
    when the first participant joins, with the limits and agents that every token for it carries; its events then belong
    to this session."""
    wanted = _wanted(body)
    given = [invited.identity for invited in body.participants if invited.identity is not None]
    if len(set(given)) < len(given):
        raise Invalid(
            "participants: an identity is there twice; the second to join would push out the first.",
            code="identity_twice",
        )
    found = await services.database.read(lambda tx: apps.get(tx, caller, app))
    draft = plans.plan_of(new_id(SESSION), wanted)
    room = body.room_name or draft.session_id
    # Before anything is stored: a token that cannot be issued leaves no session behind.
    await services.issuer.check(found, [invited.request(room) for invited in body.participants], draft)

    session, plan = await services.database.write(lambda tx: services.plans.announce(tx, services.queue, found, wanted))
    view = SessionView(session, plan, None, (), ())
    requests = [invited.request(session.livekit_room) for invited in body.participants]
    tokens = [await _token(services, found, request, caller.expires_at) for request in requests]
    return Data(data=NewSessionBody.model_validate(fields_of(found, view) | {"tokens": tokens}))


async def _token(services: Services, app: App, request: JoinRequest, ends_by: int | None) -> SessionToken:
    issued = await services.issuer.issue(app, request, "session", ends_by=ends_by)
    play_url, _ = watching_urls(services, app, issued.grant.livekit_room, issued.grant.ttl)
    return SessionToken(
        identity=issued.grant.identity,
        token=issued.jwt,
        ws_url=services.gateway.endpoint.client_url,
        play_url=play_url,
        expires_at=rfc3339(issued.expires_at),
        warning=issued.warning,
    )


@router.post(
    "/{session}/end",
    summary="End a session",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def end_session(
    services: ServicesDep, caller: SessionsWriteOrAction, app: AppRef, reference: SessionRef
) -> Data[SessionBody]:
    """A session that waits for its room expires; the room of an active one is ended. A user who calls needs the
    room action `end`."""

    def find(tx: Transaction) -> tuple[App, Session]:
        found, session = _find(tx, caller, app, reference)
        require_action(tx, caller, found, session.livekit_room, "end")
        return found, session

    found, session = await services.database.read(find)
    await ending.end_room(services.gateway, session)

    def end(tx: Transaction) -> SessionView:
        trail.note(tx, caller, "session.ended", session.id, organisation_id=found.organisation_id, app_id=found.id)
        ending.ended(tx, services.feed, services.queue, session)
        return sessions.get(tx, found, session.id)

    return Data(data=body_of(found, await services.database.write(end)))


def _find(tx: Transaction, caller: Any, app: str, reference: str) -> tuple[App, Session]:
    found = apps.get(tx, caller, app)
    return found, sessions.find(tx, found, reference)


def _wanted(body: NewSession) -> Wanted:
    wait = seconds_of("limits.wait", body.limits.wait, longest=_LONGEST, zero=False)
    return Wanted(
        kind=body.kind,
        room_name=body.room_name,
        metadata=body.metadata,
        agents=agents_of(body.agents),
        limits=body.limits.limits("limits."),
        max_duration=seconds_of("limits.maxDuration", body.limits.max_duration, longest=_LONGEST, zero=False),
        transcript=body.transcript,
        wait=plans.DEFAULT_WAIT if wait is None else wait,
    )
