"""`/apps/{app}/rooms/{room}/access` and `…/roles`: who may join a room as a user, and with which role."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path
from pydantic import Field, StringConstraints

from stagedoor.access import room_access, room_access_store
from stagedoor.access.room_access_store import RoomAccess
from stagedoor.access.room_roles import RoomRole
from stagedoor.access.settings import AccessLevel
from stagedoor.access.user_enforcer import Applied
from stagedoor.api.authentication import RoomsRead, RoomsWriteOrAction
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.people_bodies import Email
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
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, TooMany
from stagedoor.people import store as people_store
from stagedoor.people import users
from stagedoor.rooms import rooms
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/apps/{{app}}/rooms/{{room}}", tags=["Rooms"])

MOST_INVITED: Final = 1_000
"""Users, and e-mails, of a room."""

MOST_ROLES: Final = 10_000
"""Of a room."""

UserId = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=NO_NUL)]
UserRef = Annotated[
    str,
    Path(
        alias="member",
        max_length=64,
        pattern=NO_NUL,
        description="Id of the user.",
        examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]
_LEVEL: Final = (
    "`public`: every user who is signed in. `organisation`: members of the organisation. `invited`: those named here."
)


class AccessBody(ResponseModel):
    """Who may join a room as a user."""

    level: AccessLevel = Field(description=_LEVEL, examples=["invited"])
    users: list[str] = Field(
        description="Ids of users who are invited, members of the organisation or not.",
        examples=[["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]],
    )
    emails: list[str] = Field(description="E-mails of members who are invited.", examples=[["ada@example.com"]])
    own: bool = Field(
        description="Whether it was set for this room; otherwise it is the app's `roomAccess`.", examples=[True]
    )


class AccessChange(RequestModel):
    """Who may join a room from now on; it replaces what was set before."""

    level: AccessLevel = Field(description=_LEVEL, examples=["invited"])
    users: list[UserId] = Field(
        default_factory=list[str],
        max_length=MOST_INVITED,
        description="Ids of users who are invited, members of the organisation or not.",
        examples=[["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]],
    )
    emails: list[Email] = Field(
        default_factory=list[str],
        max_length=MOST_INVITED,
        description="E-mails of members who are invited. One that no member has has no effect: e-mails are not"
        " verified.",
        examples=[["ada@example.com"]],
    )


class RoomRoleBody(ResponseModel):
    """A user with a role of its own in a room."""

    user: str = Field(description="Id of the user.", examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    role: RoomRole = Field(description="Role in the room.", examples=["cohost"])


class RoomRoleGiven(ResponseModel):
    """A role in a room, and whether LiveKit has it."""

    user: str = Field(description="Id of the user.", examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    role: RoomRole | None = Field(
        description="Role of its own in the room; null where the role in the organisation decides.",
        examples=["cohost"],
    )
    applied: bool | Literal["not_in_room"] = Field(
        description="Whether LiveKit's permissions follow the role now; `not_in_room` where nothing is to be changed.",
        examples=[True],
    )
    reason: str | None = Field(description="Why it was not applied.", examples=[None])


class RoomRoleChange(RequestModel):
    """A role to give in a room."""

    role: RoomRole = Field(description="Role in the room.", examples=["cohost"])


def _place(tx: Transaction, caller: Principal, app: str, room: str) -> tuple[App, str]:
    """The app, and the LiveKit name of the room, which need not be there yet."""
    found = apps.get(tx, caller, app)
    return found, rooms.known_or_new(tx, found, room)


def _body(tx: Transaction, app: App, livekit_room: str) -> AccessBody:
    own = room_access_store.find_access(tx, app.id, livekit_room)
    access = own or room_access.access_of(tx, app, livekit_room)
    return AccessBody(level=access.level, users=list(access.users), emails=list(access.emails), own=own is not None)


@router.get("/access", summary="See who may join a room", responses=documented(401, 403, 404, 422, 503))
async def get_access(services: ServicesDep, caller: RoomsRead, app: AppRef, room: RoomRef) -> Data[AccessBody]:
    """The room need not be there yet. A user who calls sees it with the room action `admit`."""

    def read(tx: Transaction) -> AccessBody:
        found, name = _place(tx, caller, app, room)
        room_access.require_action(tx, caller, found, name, "admit")
        return _body(tx, found, name)

    return Data(data=await services.database.read(read))


@router.put("/access", summary="Set who may join a room", responses=documented(400, 401, 403, 404, 413, 422, 503))
async def set_access(
    services: ServicesDep, caller: RoomsWriteOrAction, app: AppRef, room: RoomRef, body: AccessChange
) -> Data[AccessBody]:
    """The room need not be there yet. Users who are in it and may not join it any more are removed. Signed links go on
    to work. A user who calls needs the room action `admit`."""
    emails = [users.checked(email) for email in body.emails]

    def change(tx: Transaction) -> AccessBody:
        found, name = _place(tx, caller, app, room)
        room_access.require_action(tx, caller, found, name, "admit")
        before = room_access.access_of(tx, found, name)
        after = RoomAccess(body.level, tuple(dict.fromkeys(body.users)), tuple(dict.fromkeys(emails)))
        room_access_store.set_access(tx, found.id, name, after, now_ms())
        services.user_enforcer.look_at_room(tx, name)
        _note(
            tx, caller, "room.access_changed", found, name, name,
            {"before": before.level, "after": after.level, "users": len(after.users), "emails": len(after.emails)},
        )  # fmt: skip
        return _body(tx, found, name)

    return Data(data=await services.database.write(change))


@router.get("/roles", summary="List roles in a room", responses=documented(401, 403, 404, 422, 503))
async def list_roles(
    services: ServicesDep, caller: RoomsRead, app: AppRef, room: RoomRef, cursor: Cursor = None, limit: Limit = 50
) -> Page[RoomRoleBody]:
    """Those of users with a role of their own in the room. A user who calls needs the room action `admit`."""

    def read(tx: Transaction) -> list[tuple[str, RoomRole]]:
        found, name = _place(tx, caller, app, room)
        room_access.require_action(tx, caller, found, name, "admit")
        return room_access_store.roles_of(tx, found.id, name, after=cursor, limit=limit + 1)

    listed = await services.database.read(read)
    return page([RoomRoleBody(user=user, role=role) for user, role in listed], limit, lambda item: item.user)


@router.put(
    "/roles/{member}",
    summary="Give a user a role in a room",
    responses=documented(400, 401, 403, 404, 413, 422, 429, 503),
)
async def give_role(
    services: ServicesDep, caller: RoomsWriteOrAction, app: AppRef, room: RoomRef, user: UserRef, body: RoomRoleChange
) -> Data[RoomRoleGiven]:
    """A member of the organisation, or a user who is invited to the room by id. It holds in this room, now and later,
    instead of the role that follows from the role in the organisation; who may join is another question. LiveKit's
    permissions of a user who is in the room are changed before this answers. A user who calls needs the room action
    `promote`."""

    def change(tx: Transaction) -> str:
        found, name = _place(tx, caller, app, room)
        room_access.require_action(tx, caller, found, name, "promote")
        _require_known(tx, found, name, user)
        before = room_access_store.find_role(tx, found.id, name, user)
        if before is None and room_access_store.count_roles(tx, found.id, name) >= MOST_ROLES:
            raise TooMany(
                f"{MOST_ROLES} users may have a role of their own in a room.",
                code="too_many_roles",
                extra={"limit": MOST_ROLES},
            )
        room_access_store.set_role(tx, found.id, name, user, body.role, now_ms())
        detail = {"livekitRoom": name, "before": before, "after": body.role}
        _note(tx, caller, "room.role_given", found, name, user, detail)
        return name

    return await _applied(services, await services.database.write(change), user, body.role)


@router.delete(
    "/roles/{member}", summary="Take a user's own role in a room", responses=documented(401, 403, 404, 422, 503)
)
async def take_role(
    services: ServicesDep, caller: RoomsWriteOrAction, app: AppRef, room: RoomRef, user: UserRef
) -> Data[RoomRoleGiven]:
    """The role in the organisation decides again. A user who calls needs the room action `promote`."""

    def change(tx: Transaction) -> str:
        found, name = _place(tx, caller, app, room)
        room_access.require_action(tx, caller, found, name, "promote")
        before = room_access_store.find_role(tx, found.id, name, user)
        if not room_access_store.delete_role(tx, found.id, name, user):
            raise NotFound("This user has no role of its own in the room.", code="role_not_found")
        detail = {"livekitRoom": name, "before": before, "after": None}
        _note(tx, caller, "room.role_taken", found, name, user, detail)
        return name

    return await _applied(services, await services.database.write(change), user, None)


async def _applied(services: Services, livekit_room: str, user: str, role: RoomRole | None) -> Data[RoomRoleGiven]:
    applied: Applied
    applied, reason = await services.user_enforcer.apply(livekit_room, user)
    return Data(data=RoomRoleGiven(user=user, role=role, applied=applied, reason=reason))


def _require_known(tx: Transaction, app: App, livekit_room: str, user_id: str) -> None:
    """Raise `NotFound` for a user of whom the organisation knows nothing."""
    invited = room_access.access_of(tx, app, livekit_room).users
    if people_store.role_of(tx, user_id, app.organisation_id) is not None:
        return
    if user_id not in invited or people_store.find_user(tx, user_id) is None:
        raise NotFound(
            "This user is no member of the organisation, and not invited to the room.", code="member_not_found"
        )


def _note(
    tx: Transaction,
    caller: Principal,
    action: str,
    app: App,
    livekit_room: str,
    target: str,
    detail: dict[str, Any],
) -> None:
    trail.note(
        tx,
        caller,
        action,
        target,
        organisation_id=app.organisation_id,
        app_id=app.id,
        detail={"livekitRoom": livekit_room} | detail,
    )
