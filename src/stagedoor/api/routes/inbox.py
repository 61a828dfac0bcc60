"""`/inbox`: LiveKit's events as they came, for the operator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from stagedoor.api.authentication import Admin
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Data, Limit, NumberCursor, Page, ResponseModel, meanings, page, when
from stagedoor.audit import store as trail
from stagedoor.inbox import store
from stagedoor.inbox.store import INBOX_STATES, InboxEvent, InboxState
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import NotFound

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/inbox", tags=["Inbox"])

EventRef = Annotated[
    str,
    Path(
        alias="event",
        max_length=128,
        pattern=NO_NUL,
        description="LiveKit's id of the event.",
        examples=["EV_x9a3Yb7qTz2c"],
    ),
]


class InboxBody(ResponseModel):
    """A stored event."""

    seq: int = Field(description="Place in the order of arrival.", examples=[7])
    id: str = Field(description="LiveKit's id of the event.", examples=["EV_x9a3Yb7qTz2c"])
    event: str = Field(description="LiveKit's name of the event.", examples=["participant_joined"])
    livekit_room: str = Field(description="LiveKit name of the room; empty if it names none.", examples=["live-demo"])
    received_at: str = Field(description="When it came in.", examples=["2026-01-31T12:00:00.000Z"])
    key: str = Field(description="LiveKit API key that signed it.", examples=["APIhycBMAjmt6Ub"])
    scheme: Literal["jwt", "hmac"] = Field(description="How it was signed.", examples=["jwt"])
    state: InboxState = Field(description=meanings(INBOX_STATES), examples=["applied"])
    attempts: int = Field(description="How often it was tried.", examples=[1])
    applied_at: str | None = Field(description="When it was last acted on.", examples=["2026-01-31T12:00:00.000Z"])
    error: str | None = Field(description="Why it failed.", examples=[None])


class InboxDetail(InboxBody):
    """A stored event with its body."""

    body: dict[str, Any] = Field(
        description="The event as LiveKit sent it, without secrets.",
        examples=[{"event": "participant_joined"}],
    )


def _fields(event: InboxEvent) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "id": event.id,
        "event": event.event,
        "livekit_room": event.livekit_room,
        "received_at": rfc3339(event.received_at),
        "key": event.key_id,
        "scheme": event.scheme,
        "state": event.state,
        "attempts": event.attempts,
        "applied_at": when(event.applied_at),
        "error": event.error,
    }


@router.get("", summary="List the inbox", responses=documented(401, 403, 422, 503))
async def list_inbox(
    services: ServicesDep,
    caller: Admin,
    state: Annotated[InboxState | None, Query(description="Only events of this state.", examples=["unclaimed"])] = None,
    room: Annotated[
        str | None,
        Query(max_length=256, pattern=NO_NUL, description="Only of this LiveKit room.", examples=["live-demo"]),
    ] = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[InboxBody]:
    """Newest first, without bodies. Only a key of the whole installation may."""
    caller.require_installation()
    found = await services.database.read(
        lambda tx: store.list_events(tx, state=state, livekit_room=room, before=cursor, limit=limit + 1)
    )
    shown = [InboxBody.model_validate(_fields(event)) for event in found]
    return page(shown, limit, lambda item: str(item.seq))


@router.get(
    "/{event}",
    summary="Get a stored event",
    response_model=Data[InboxDetail],
    responses=documented(401, 403, 404, 422, 503),
)
async def get_inbox_event(services: ServicesDep, caller: Admin, reference: EventRef) -> Response:
    """With its body. Only a key of the whole installation may."""
    caller.require_installation()
    found = await services.database.read(lambda tx: store.get_event(tx, reference))
    if found is None:
        raise NotFound("There is no such event in the inbox.", code="event_not_found")
    return _detail(found)


def _detail(event: InboxEvent) -> Response:
    """The stored body goes out byte for byte: a model would refuse one that is nested deeply."""
    fields = InboxBody.model_validate(_fields(event)).model_dump(by_alias=True)
    answer = msgspec.json.encode({"data": fields | {"body": msgspec.Raw(event.body)}})
    return Response(answer, media_type="application/json")


@router.post(
    "/{event}/replay",
    summary="Apply a stored event again",
    response_model=Data[InboxDetail],
    responses=documented(401, 403, 404, 409, 422, 503),
)
async def replay_inbox_event(services: ServicesDep, caller: Admin, reference: EventRef) -> Response:
    """For events that failed, or whose app exists only now. What was applied before changes nothing."""
    caller.require_installation()
    replayed = await services.applier.replay(reference)
    await services.database.write(
        lambda tx: trail.note(tx, caller, "event.replayed", replayed.id, organisation_id=None)
    )
    return _detail(replayed)
