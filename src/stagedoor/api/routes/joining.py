"""`POST /apps/{app}/rooms/{room}/join`: a user joins a room as such."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from stagedoor.access.room_roles import ROLE_ACTIONS, ROOM_ACTIONS, RoomAction, RoomRole
from stagedoor.api.authentication import RoomsJoin
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, AppRef, Data, RequestModel, ResponseModel, RoomRef
from stagedoor.kernel.clock import rfc3339

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/rooms/{{room}}", tags=["Rooms"])


class Joining(RequestModel):
    """From where the user joins."""

    device: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=NO_NUL)] | None = Field(
        default=None,
        description="A text that the device made up and keeps. The same device replaces its old self in the room;"
        " without one it is a new device each time.",
        examples=["5f0c2b7a"],
    )


class JoinedBody(ResponseModel):
    """What a LiveKit client joins with."""

    token: str = Field(description="The join token.", examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])
    ws_url: str = Field(description="LiveKit's address.", examples=["wss://media.example.com"])
    app: str = Field(description="The app's slug.", examples=["live"])
    room: str = Field(description="The room's LiveKit name.", examples=["live-demo"])
    identity: str = Field(
        description="The id of the user; with a colon and a mark of the device where another device of the user is in"
        " the room.",
        examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    name: str = Field(description="Name that others see.", examples=["Ada Lovelace"])
    role: RoomRole = Field(description="Role in the room.", examples=["speaker"])
    actions: list[RoomAction] = Field(
        description="What the role may do in the room.", examples=[["watch", "chat", "speak", "show", "share"]]
    )
    expires_at: str = Field(description="When the token ends.", examples=["2026-01-31T12:10:00.000Z"])


@router.post(
    "/join",
    status_code=201,
    summary="Join a room as a user",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def join_room(
    services: ServicesDep, caller: RoomsJoin, app: AppRef, room: RoomRef, body: Joining
) -> Data[JoinedBody]:
    """A token with exactly the grants of the role that the user has in the room. The room's access level decides who
    may join; owners and admins always may. Only a user may call, by session or personal access token: name and picture
    (the attribute `stagedoor.picture`) are those of the account, and the holder cannot change them.

    A room that is not there yet is made by joining it, if the user may create rooms.
    """
    place, issued = await services.user_joining.join(caller, app, room, body.device)
    return Data(
        data=JoinedBody(
            token=issued.jwt,
            ws_url=services.gateway.endpoint.client_url,
            app=place.app.slug,
            room=place.livekit_room,
            identity=issued.grant.identity,
            name=place.user.name,
            role=place.role,
            actions=[action for action in ROOM_ACTIONS if action in ROLE_ACTIONS[place.role]],
            expires_at=rfc3339(issued.expires_at),
        )
    )
