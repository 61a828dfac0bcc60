"""`/apps/{app}/rooms`, data and links."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from msgspec import Meta
from pydantic import Field, StringConstraints, model_validator

from stagedoor.access.grants import time_to_live
from stagedoor.access.room_access import require_action
from stagedoor.access.settings import PlaybackSettings
from stagedoor.api.addresses import frames_url, hls_url, page_url
from stagedoor.api.authentication import RoomsRead, RoomsWrite, RoomsWriteOrAction, TokensWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.joining import LongText, RoomLimitsBody, ShortText
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    AppRef,
    Cursor,
    Data,
    Limit,
    Page,
    RequestModel,
    ResponseModel,
    RoomRef,
    page,
)
from stagedoor.audit import store as trail
from stagedoor.events.nouns import NewEvent
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.durations import PATTERN as DURATION_PATTERN
from stagedoor.kernel.errors import Invalid, NotFound, TooLarge
from stagedoor.rooms import rooms, store
from stagedoor.rooms.nouns import Room, Session
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/rooms", tags=["Rooms"])

MAX_DATA_BYTES = 15_000
"""LiveKit's clients carry reliable messages of up to 15 KiB whole; more is cut up or lost."""

Metadata = Annotated[str, StringConstraints(min_length=1, max_length=65_536, pattern=NO_NUL)]
Identities = list[Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)]]


class RoomBody(ResponseModel):
    """A named place in an app."""

    id: str = Field(description="Identifier.", examples=["room_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str = Field(description="The app's slug.", examples=["live"])
    name: str = Field(description="Short name.", examples=["demo"])
    livekit_room: str = Field(description="LiveKit name.", examples=["live-demo"])
    state: Literal["live", "idle"] = Field(description="Whether LiveKit has the room now.", examples=["live"])
    metadata: str = Field(description="Metadata that clients see.", examples=['{"topic":"news"}'])
    session: str | None = Field(
        description="Id of the session that lives in it.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]
    )
    participants: int = Field(description="Participants in it now.", examples=[2])
    created_at: str = Field(description="When it was first seen.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


class NewRoom(RoomLimitsBody, frozen=True, kw_only=True):
    """A room to create in LiveKit now; it waits `emptyTimeout` for its first participant."""

    name: Annotated[
        ShortText,
        Meta(min_length=1, description="Short name (`demo`) or LiveKit name (`live-demo`).", examples=["demo"]),
    ]
    metadata: Annotated[
        LongText | None, Meta(description="Metadata that clients see.", examples=['{"topic":"news"}'])
    ] = None


class RoomChange(RequestModel):
    """What to change of a room."""

    metadata: Metadata = Field(
        description="New metadata; LiveKit ignores an empty one.", examples=['{"topic":"sports"}']
    )


class NewData(RequestModel):
    """Data for the participants: `data` as text, or `dataBase64` as bytes."""

    data: str | None = Field(default=None, max_length=MAX_DATA_BYTES, description="Text.", examples=["hello"])
    data_base64: str | None = Field(
        default=None, max_length=2 * MAX_DATA_BYTES, description="Bytes in base64.", examples=["aGVsbG8="]
    )
    topic: Annotated[str, StringConstraints(max_length=256, pattern=NO_NUL)] | None = Field(
        default=None, description="What clients distinguish messages by.", examples=["alerts"]
    )
    identities: Identities = Field(
        default_factory=list[str],
        max_length=1000,
        description="Recipients; all participants if empty.",
        examples=[["phone-42"]],
    )
    reliable: bool = Field(
        default=True, description="Sent again until it arrives, or sent once and fast.", examples=[True]
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> NewData:
        if (self.data is None) == (self.data_base64 is None):
            raise ValueError("give data or dataBase64, one of them")
        return self


class SentData(ResponseModel):
    """What was sent."""

    room: str = Field(description="LiveKit name of the room.", examples=["live-demo"])
    bytes: int = Field(description="Bytes sent.", examples=[5])
    identities: list[str] = Field(description="Recipients; empty for all participants.", examples=[["phone-42"]])


class NewLink(RequestModel):
    """A link to a page, or to a camera's frames."""

    page: Literal["play", "embed", "meet", "publish", "mjpeg", "frame", "ws", "hls"] = Field(
        description="`play` and `embed` watch, `meet` takes part, `publish` sends camera and screen; `mjpeg`, `frame`"
        " and `ws` are a camera's frames as a moving picture, the newest one, and a WebSocket; `hls` is a playlist.",
        examples=["meet"],
    )
    ttl: Annotated[str, StringConstraints(pattern=DURATION_PATTERN)] | None = Field(
        default=None,
        description="How long the link works: 90s, 10m, 1h, 2d. The app sets the maximum.",
        examples=["1h"],
    )


class LinkBody(ResponseModel):
    """A link that works as it is."""

    url: str = Field(
        description="The page's URL.",
        examples=["https://stagedoor.example.com/meet/live/live-demo?token=eyJh"],
    )
    expires_at: str | None = Field(
        description="When it ends; null when the app's playback is public.",
        examples=["2026-01-31T13:00:00.000Z"],
    )


async def find(services: Services, caller: Principal, app: str, room: str) -> tuple[App, Room, Session | None]:
    """The app, room and live session that a path means, as far as the caller may see them."""

    def look(tx: Transaction) -> tuple[App, Room, Session | None]:
        found = apps.get(tx, caller, app)
        return found, *rooms.get(tx, found, room)

    return await services.database.read(look)


def _body(app: App, room: Room, session: Session | None) -> RoomBody:
    return RoomBody(
        id=room.id,
        app=app.slug,
        name=room.name,
        livekit_room=room.livekit_room,
        state="live" if session else "idle",
        metadata=room.metadata,
        session=session.id if session else None,
        participants=session.active_participants if session else 0,
        created_at=rfc3339(room.created_at),
        updated_at=rfc3339(room.updated_at),
    )


@router.post(
    "",
    status_code=201,
    summary="Create a room",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def create_room(
    services: ServicesDep, caller: RoomsWrite, app: AppRef, body: Annotated[NewRoom, Body()]
) -> Data[RoomBody]:
    """LiveKit makes the room at once. A room that is live already is refused.

    Joining with a token makes the room too; creating it first is for metadata, time-outs and limits. Those that
    a session was announced with hold for its room.
    """

    found = await services.database.read(lambda tx: apps.get(tx, caller, app))
    room, session = await services.room_creator.create(found, body.name, body.metadata or "", body.limits())
    return Data(data=_body(found, room, session))


@router.get("", summary="List rooms", responses=documented(401, 403, 404, 422, 503))
async def list_rooms(
    services: ServicesDep,
    caller: RoomsRead,
    app: AppRef,
    state: Annotated[
        Literal["live", "idle"] | None, Query(description="Only live, or only idle ones.", examples=["live"])
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RoomBody]:
    """Rooms that were created, or that LiveKit announced."""

    def look(tx: Transaction) -> tuple[App, list[tuple[Room, Session | None]]]:
        found = apps.get(tx, caller, app)
        live = None if state is None else state == "live"
        return found, store.list_rooms(tx, found.id, live=live, after=cursor, limit=limit + 1)

    found, listed = await services.database.read(look)
    return page([_body(found, room, session) for room, session in listed], limit, lambda item: item.id)


@router.get("/{room}", summary="Get a room", responses=documented(401, 403, 404, 422, 503))
async def get_room(services: ServicesDep, caller: RoomsRead, app: AppRef, room: RoomRef) -> Data[RoomBody]:
    """By short or LiveKit name."""
    return Data(data=_body(*await find(services, caller, app, room)))


@router.patch("/{room}", summary="Change a room", responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503))
async def change_room(
    services: ServicesDep, caller: RoomsWrite, app: AppRef, room: RoomRef, body: RoomChange
) -> Data[RoomBody]:
    """Clients in the room see the new metadata at once."""
    found, before, session = await find(services, caller, app, room)
    if session is not None:
        await services.gateway.update_room_metadata(before.livekit_room, body.metadata)
    after = await services.database.write(lambda tx: rooms.updated(tx, services.feed, before, body.metadata))
    return Data(data=_body(found, after, session))


@router.delete(
    "/{room}",
    status_code=204,
    summary="End and delete a room",
    responses=documented(401, 403, 404, 409, 422, 502, 503),
)
async def delete_room(services: ServicesDep, caller: RoomsWriteOrAction, app: AppRef, room: RoomRef) -> Response:
    """All participants are disconnected. The room's sessions stay, as do its access level and its roles. A user who
    calls needs the room action `end`."""
    owner, found, session = await find(services, caller, app, room)
    await services.database.read(lambda tx: require_action(tx, caller, owner, found.livekit_room, "end"))
    with contextlib.suppress(NotFound):  # one that is not live: its record still goes
        await services.gateway.delete_room(found.livekit_room)

    def deleted(tx: Transaction) -> None:
        rooms.deleted(tx, services.feed, found, session.id if session else None)
        trail.note(
            tx,
            caller,
            "room.deleted",
            found.id,
            organisation_id=owner.organisation_id,
            app_id=owner.id,
            detail={"livekitRoom": found.livekit_room},
        )

    await services.database.write(deleted)
    return Response(status_code=204)


@router.post(
    "/{room}/data",
    status_code=202,
    summary="Send data into a room",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def send_data(
    services: ServicesDep, caller: RoomsWrite, app: AppRef, room: RoomRef, body: NewData
) -> Data[SentData]:
    """To all participants, or to some identities. 15,000 bytes at the most."""
    payload = _payload(body)
    found, place, session = await find(services, caller, app, room)
    if session is None and await services.gateway.find_room(place.livekit_room) is None:
        # LiveKit would look for the room for seconds and then say that it cannot be reached.
        raise NotFound("The room is not live, so no participant could get the data.", code="not_live")
    await services.gateway.send_data(
        place.livekit_room, payload, topic=body.topic, identities=body.identities, reliable=body.reliable
    )

    def record(tx: Transaction) -> None:
        detail = {"topic": body.topic, "bytes": len(payload), "identities": body.identities}
        session_id = session.id if session else None
        name = place.livekit_room
        services.feed.append(tx, NewEvent(found.id, "data.sent", "api", now_ms(), name, name, session_id, detail))

    await services.database.write(record)
    return Data(data=SentData(room=place.livekit_room, bytes=len(payload), identities=body.identities))


def _payload(body: NewData) -> bytes:
    if body.data is not None:
        payload = body.data.encode()
    else:
        try:
            payload = base64.b64decode(body.data_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise Invalid("dataBase64 is not base64.", code="not_base64") from None
    if len(payload) > MAX_DATA_BYTES:
        raise TooLarge(
            f"The data has {len(payload)} bytes; {MAX_DATA_BYTES} is the most.",
            code="data_too_large",
            extra={"limit": MAX_DATA_BYTES},
        )
    return payload


@router.post(
    "/{room}/links",
    status_code=201,
    summary="Make a link to a page",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def create_link(
    services: ServicesDep, caller: TokensWrite, app: AppRef, room: RoomRef, body: NewLink
) -> Data[LinkBody]:
    """A link to watch (`play`, `embed`, `hls`, and a camera's `mjpeg`, `frame` and `ws`), to take part (`meet`) or to
    send from a browser (`publish`). The room need not be live yet."""
    found = await services.database.read(lambda tx: apps.get(tx, caller, app))
    name = await rooms.name_of(services.database, found, room)
    await services.plans.of(name)  # which refuses the room of a session that is over
    ttl = time_to_live(found, body.ttl, ends_by=caller.expires_at)
    if body.page in ("play", "embed", "meet", "publish"):
        url = page_url(services, body.page, found, name, ttl)
    elif body.page == "hls":
        url = hls_url(services, found, name, ttl)
    else:
        url = frames_url(services, body.page, found, name, ttl)
    signed = body.page in {"meet", "publish"} or found.settings.of(PlaybackSettings).playback_policy == "signed"
    return Data(data=LinkBody(url=url, expires_at=rfc3339(now_ms() + ttl * 1000) if signed else None))
