"""`/apps/{app}/rooms/{room}/participants`: who is in a live room, as LiveKit says at this moment."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints
from starlette.convertors import Convertor, register_url_convertor

from stagedoor.access.identities import check_attribute_names
from stagedoor.access.room_access import require_action
from stagedoor.access.room_roles import RoomAction
from stagedoor.access.user_identities import USER_ATTRIBUTE, user_of
from stagedoor.api.authentication import RoomsRead, RoomsWriteOrAction
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.rooms import find
from stagedoor.api.services import ServicesDep
from stagedoor.api.slashes import restored
from stagedoor.api.wire import (
    NO_NUL,
    SHOWN,
    AppRef,
    Data,
    IdentityRef,
    Page,
    PageInfo,
    RequestModel,
    ResponseModel,
    RoomRef,
    Text,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.events.nouns import NewEvent
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.durations import PATTERN as DURATION_PATTERN
from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import Conflict, Invalid, NotFound
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, Permissions, TrackSnapshot, source_of
from stagedoor.rooms.nouns import Room, Session
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal


class _Identity(Convertor[str]):
    """LiveKit lets an identity hold slashes, so it is all of the path but the end that names a track."""

    regex = r"(?:(?!/tracks/[^/]+/mute$)[\s\S])+"

    def convert(self, value: str) -> str:
        return restored(value)

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("identity", _Identity())
router = APIRouter(
    route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/rooms/{{room}}/participants", tags=["Participants"]
)

Source = Literal["camera", "microphone", "screen_share", "screen_share_audio"]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)]
AttributeValue = Annotated[str, StringConstraints(max_length=8_192, pattern=NO_NUL)]
TrackRef = Annotated[
    str,
    Path(
        alias="sid",
        max_length=128,
        pattern=NO_NUL,
        description="The track's SID.",
        examples=["TR_VCd3xZ9q4Yb7aE"],
    ),
]
_LONGEST_BAN = 365 * 86_400


class TrackBody(ResponseModel):
    """A published track."""

    sid: str = Field(description="LiveKit's SID.", examples=["TR_VCd3xZ9q4Yb7aE"])
    kind: str = Field(description="audio, video or data.", examples=["video"])
    source: str = Field(description="Where it comes from.", examples=["camera"])
    mime_type: str = Field(description="Codec.", examples=["video/VP8"])
    muted: bool = Field(description="Whether it is muted.", examples=[False])
    name: str = Field(description="The publisher's name for it.", examples=["webcam"])
    width: int = Field(description="Pixels; 0 for sound.", examples=[1280])
    height: int = Field(description="Pixels; 0 for sound.", examples=[720])


class PermissionsBody(ResponseModel):
    """What LiveKit lets the participant do."""

    can_publish: bool = Field(description="May publish media.", examples=[True])
    can_subscribe: bool = Field(description="May receive media.", examples=[True])
    can_publish_data: bool = Field(description="May send data and chat.", examples=[True])
    can_publish_sources: list[str] = Field(
        description="The only sources that may be published; empty for all.",
        examples=[["camera", "microphone"]],
    )
    can_update_metadata: bool = Field(description="May change its own metadata.", examples=[False])
    hidden: bool = Field(description="Others do not see that it is there.", examples=[False])


class ParticipantBody(ResponseModel):
    """A participant of a live room."""

    sid: str = Field(description="LiveKit's SID of this presence.", examples=["PA_5vQ2mT8xYb1c"])
    identity: str = Field(description="Who it is.", examples=["phone-42"])
    name: str = Field(description="Name that others see.", examples=["Ada"])
    kind: str = Field(description="standard, ingress, egress, sip, agent …", examples=["standard"])
    source: str = Field(
        description="How its media comes in: `webrtc` by itself, `ingress` through LiveKit's ingress, `camera` as the"
        " frames of a camera that Stagedoor bridges.",
        examples=["webrtc"],
    )
    state: str = Field(description="joining, joined, active or disconnected.", examples=["active"])
    joined_at: str | None = Field(description="When it joined.", examples=["2026-01-31T12:00:00.000Z"])
    metadata: str = Field(description="Metadata.", examples=["{}"])
    attributes: dict[str, str] = Field(description="Attributes.", examples=[{"seat": "12"}])
    permissions: PermissionsBody | None = Field(description="The permissions of the participant.")
    tracks: list[TrackBody] = Field(description="The tracks that the participant publishes.")


class PermissionsChange(RequestModel):
    """Permissions to change; what is left out stays."""

    can_publish: bool | None = Field(default=None, description="May publish media.", examples=[False])
    can_subscribe: bool | None = Field(default=None, description="May receive media.", examples=[True])
    can_publish_data: bool | None = Field(default=None, description="May send data and chat.", examples=[True])
    can_publish_sources: list[Source] | None = Field(
        default=None,
        max_length=4,
        description="The only sources that may be published; empty for all.",
        examples=[["microphone"]],
    )
    can_update_metadata: bool | None = Field(default=None, description="May change its own metadata.", examples=[False])
    hidden: bool | None = Field(default=None, description="Others do not see that it is there.", examples=[False])


class ParticipantChange(RequestModel):
    """What to change of a participant; what is left out stays."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=256), SHOWN] | None = Field(
        default=None, description="Name that others see.", examples=["Ada"]
    )
    metadata: Annotated[Text, StringConstraints(min_length=1, max_length=65_536)] | None = Field(
        default=None, description="Metadata; LiveKit ignores an empty one.", examples=["{}"]
    )
    attributes: dict[AttributeName, AttributeValue] | None = Field(
        default=None,
        max_length=64,
        description="Attributes to set; one set to the empty text is removed. Names that begin with `stagedoor.` are"
        " Stagedoor's own.",
        examples=[{"hand": "raised"}],
    )
    permissions: PermissionsChange | None = Field(default=None, description="Permissions to change.")


class Mute(RequestModel):
    """Whether a track is to be muted."""

    muted: bool = Field(description="true mutes; false asks LiveKit to unmute, if its config lets it.", examples=[True])


def _track(track: TrackSnapshot) -> TrackBody:
    return TrackBody(
        sid=track.sid,
        kind=track.kind,
        source=track.source,
        mime_type=track.mime_type,
        muted=track.muted,
        name=track.name,
        width=track.width,
        height=track.height,
    )


def _body(fact: ParticipantSnapshot) -> ParticipantBody:
    allowed = fact.permissions
    return ParticipantBody(
        sid=fact.sid,
        identity=fact.identity,
        name=fact.name,
        kind=fact.kind,
        source=source_of(fact) or ("ingress" if fact.kind == "ingress" else "webrtc"),
        state=fact.state,
        joined_at=when(fact.joined_at),
        metadata=fact.metadata,
        attributes=dict(fact.attributes),
        permissions=None
        if allowed is None
        else PermissionsBody(
            can_publish=allowed.can_publish,
            can_subscribe=allowed.can_subscribe,
            can_publish_data=allowed.can_publish_data,
            can_publish_sources=list(allowed.can_publish_sources),
            can_update_metadata=allowed.can_update_metadata,
            hidden=allowed.hidden,
        ),
        tracks=[_track(track) for track in fact.tracks],
    )


async def _record(
    services: Services,
    place: tuple[App, Room, Session | None],
    type_: str,
    subject: str,
    detail: dict[str, object],
) -> None:
    app, room, session = place
    event = NewEvent(
        app.id, type_, "api", now_ms(), room.livekit_room, subject, session.id if session else None, detail
    )
    await services.database.write(lambda tx: services.feed.append(tx, event))


async def _find_to(
    services: Services, caller: Principal, app: str, room: str, action: RoomAction
) -> tuple[App, Room, Session | None]:
    """The same, for a caller who must be allowed to do this in the room."""
    place = await find(services, caller, app, room)
    owner, found, _ = place
    await services.database.read(lambda tx: require_action(tx, caller, owner, found.livekit_room, action))
    return place


@router.get("", summary="List participants", responses=documented(401, 403, 404, 422, 502, 503))
async def list_participants(
    services: ServicesDep, caller: RoomsRead, app: AppRef, room: RoomRef
) -> Page[ParticipantBody]:
    """Those in the room now; none when it is idle."""
    _, found, _ = await find(services, caller, app, room)
    try:
        people = await services.gateway.participants(found.livekit_room)
    except NotFound:
        people = []
    return Page[ParticipantBody](data=[_body(fact) for fact in people], page=PageInfo(next=None))


@router.get("/{identity:identity}", summary="Get a participant", responses=documented(401, 403, 404, 422, 502, 503))
async def get_participant(
    services: ServicesDep, caller: RoomsRead, app: AppRef, room: RoomRef, identity: IdentityRef
) -> Data[ParticipantBody]:
    """One who is in the room now."""
    _, found, _ = await find(services, caller, app, room)
    return Data(data=_body(await _present(services, found, identity)))


async def _present(services: Services, room: Room, identity: str) -> ParticipantSnapshot:
    try:
        return await services.gateway.participant(room.livekit_room, identity)
    except NotFound:
        raise NotFound("No participant of this identity is in the room.", code="participant_not_found") from None


@router.patch(
    "/{identity:identity}",
    summary="Change a participant",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def change_participant(
    services: ServicesDep,
    caller: RoomsWriteOrAction,
    app: AppRef,
    room: RoomRef,
    identity: IdentityRef,
    body: ParticipantChange,
) -> Data[ParticipantBody]:
    """Name, metadata, attributes and permissions; the client learns of it at once.

    The permissions of a user follow from the role in the room, which is what to change instead. A user who calls needs
    the room action `promote`.
    """
    place = await _find_to(services, caller, app, room, "promote")
    before = await _present(services, place[1], identity)
    check_attribute_names(body.attributes or ())
    permissions = None
    if body.permissions is not None:
        if USER_ATTRIBUTE in before.attributes:
            raise Conflict(
                "The permissions of a user follow from the role in the room: change the role.", code="role_decides"
            )
        # LiveKit replaces permissions as a whole, so what is not changed is sent as it was.
        permissions = _permissions(before.permissions or Permissions(), body.permissions)
    after = await services.gateway.update_participant(
        place[1].livekit_room,
        identity,
        name=body.name,
        metadata=body.metadata,
        attributes=body.attributes,
        permissions=permissions,
    )
    changed = sorted(body.model_dump(exclude_unset=True, by_alias=True))
    await _record(services, place, "participant.updated", identity, {"sid": before.sid, "changed": changed})
    return Data(data=_body(after))


def _permissions(before: Permissions, change: PermissionsChange) -> Permissions:
    def choose(new: bool | None, old: bool) -> bool:  # noqa: FBT001 - two of the same, in the order of time
        return old if new is None else new

    sources = change.can_publish_sources
    return Permissions(
        can_subscribe=choose(change.can_subscribe, before.can_subscribe),
        can_publish=choose(change.can_publish, before.can_publish),
        can_publish_data=choose(change.can_publish_data, before.can_publish_data),
        can_publish_sources=before.can_publish_sources if sources is None else tuple(sources),
        can_update_metadata=choose(change.can_update_metadata, before.can_update_metadata),
        hidden=choose(change.hidden, before.hidden),
    )


@router.delete(
    "/{identity:identity}",
    status_code=204,
    summary="Remove a participant",
    responses=documented(401, 403, 404, 409, 422, 429, 502, 503),
)
async def remove_participant(
    services: ServicesDep,
    caller: RoomsWriteOrAction,
    app: AppRef,
    room: RoomRef,
    identity: IdentityRef,
    ban: Annotated[
        str | None,
        Query(
            pattern=DURATION_PATTERN,
            description="Keep the identity out for this long: 90s, 10m, 1h, 2d.",
            examples=["10m"],
        ),
    ] = None,
) -> Response:
    """Disconnects them. Their join token stays valid, which LiveKit cannot change, so without a ban they may return.

    With a ban no token is minted for the identity, and a participant that joins with an old one is removed
    again. A ban may also be set on an identity that is not in the room. That of a user holds on all of the user's
    devices. A user who calls needs the room action `remove`.
    """
    place = await _find_to(services, caller, app, room, "remove")
    found, there, _ = place
    until = None
    if ban is not None:
        seconds = _ban_seconds(ban)

        def set_ban(tx: Transaction) -> int:
            user_id = user_of(identity)
            if user_id is not None:
                services.bans.ban(tx, found.id, there.livekit_room, user_id, seconds)
                services.user_enforcer.look_at_user(tx, user_id)
            return services.bans.ban(tx, found.id, there.livekit_room, identity, seconds)

        until = await services.database.write(set_ban)
    try:
        await services.gateway.remove_participant(there.livekit_room, identity)
    except NotFound:
        if ban is None:
            raise NotFound("No participant of this identity is in the room.", code="participant_not_found") from None
    detail = {"livekitRoom": there.livekit_room, "identity": identity, "bannedUntil": when(until)}
    await services.database.write(
        lambda tx: trail.note(
            tx,
            caller,
            "participant.removed" if until is None else "participant.banned",
            identity,
            organisation_id=found.organisation_id,
            app_id=found.id,
            detail=detail,
        )
    )
    await _record(services, place, "participant.removed", identity, {"bannedUntil": when(until)})
    return Response(status_code=204)


def _ban_seconds(ban: str) -> int:
    try:
        seconds = parse_duration(ban)
    except ValueError as error:
        raise Invalid(f"ban is wrong: {error}.", code="bad_ban") from None
    if seconds > _LONGEST_BAN:
        raise Invalid("A ban lasts 365d at the most.", code="bad_ban")
    return seconds


@router.post(
    "/{identity:identity}/tracks/{sid}/mute",
    summary="Mute a track",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def mute_track(
    services: ServicesDep,
    caller: RoomsWriteOrAction,
    app: AppRef,
    room: RoomRef,
    identity: IdentityRef,
    reference: TrackRef,
    body: Mute,
) -> Data[TrackBody]:
    """LiveKit unmutes a track of a participant only if its config has `room.enable_remote_unmute`. A user who
    calls needs the room action `mute`."""
    place = await _find_to(services, caller, app, room, "mute")
    present = await _present(services, place[1], identity)
    if reference not in {track.sid for track in present.tracks}:
        raise NotFound("The participant has no such track.", code="track_not_found")
    track = await services.gateway.mute_track(place[1].livekit_room, identity, reference, muted=body.muted)
    await _record(services, place, "track.muted", reference, {"identity": identity, "muted": body.muted})
    return Data(data=_track(track))
