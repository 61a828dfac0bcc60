"""`/me`: who calls, and what users change of their own account."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast

from fastapi import APIRouter, Path, Response
from pydantic import Field, StringConstraints

from stagedoor.access.room_roles import DEFAULT_ROLES, ROLE_ACTIONS, ROOM_ACTIONS, RoomAction, RoomRole
from stagedoor.api.authentication import AnyCaller, SignedInUser
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.people_bodies import MembershipBody, UserBody, membership_body, user_body
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Data, Name, Page, PageInfo, RequestModel, ResponseModel
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.people import session_store, sessions, store, users
from stagedoor.people.nouns import Membership, Role, SignInSession, User
from stagedoor.storage import Transaction
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/me", tags=["Own account"])

SessionRef = Annotated[
    str,
    Path(
        alias="session",
        max_length=64,
        pattern=NO_NUL,
        description="Id of the session.",
        examples=["sis_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class MeBody(ResponseModel):
    """Who calls, and what the caller may do."""

    kind: Literal["key", "operator", "session", "token"] = Field(
        description="`session`: a user who is signed in. `token`: a user by a personal access token. `key`: an API key."
        " `operator`: the command line.",
        examples=["session"],
    )
    id: str = Field(
        description="Id of the user or of the key; `operator` for the command line.",
        examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    user: UserBody | None = Field(description="The user; null where the caller is none.")
    organisation: str | None = Field(
        description="Id of the organisation that the caller acts in; null for the whole installation, or for none.",
        examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    role: str | None = Field(description="Role of the user in the organisation.", examples=["member"])
    scopes: list[str] = Field(description="The scopes of the caller there.", examples=[["rooms:read"]])
    room_role: RoomRole | None = Field(
        description="Role of the user in the organisation's rooms, where a room has none of its own for the user.",
        examples=["speaker"],
    )
    room_roles: dict[RoomRole, list[RoomAction]] = Field(
        description="What each role may do in a room.", examples=[{"listener": ["watch", "chat"]}]
    )
    organisations: list[MembershipBody] = Field(
        description="The organisations that the user belongs to, the one that was joined first before the others."
    )


class OwnChange(RequestModel):
    """What users change of their own account; what is left out stays, and null takes a value away."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["Ada Lovelace"])
    picture: Annotated[str, StringConstraints(pattern=users.PICTURE)] | None = Field(
        default=None, description="URL of a picture.", examples=["https://www.example.com/ada.jpg"]
    )
    locale: Annotated[str, StringConstraints(pattern=users.LOCALE)] | None = Field(
        default=None, description="Language.", examples=["de-AT"]
    )
    time_zone: Annotated[str, StringConstraints(max_length=64, pattern=NO_NUL)] | None = Field(
        default=None, description="Time zone.", examples=["Europe/Vienna"]
    )

    def changes(self) -> dict[str, Any]:
        """What was given, by name; a name is never taken away."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in given.items() if value is not None or name != "name"}


class OwnSessionBody(ResponseModel):
    """A browser in which the user is signed in."""

    id: str = Field(description="Identifier.", examples=["sis_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    current: bool = Field(description="Whether it is the one that asks.", examples=[True])
    address: str = Field(description="Address from which the user signed in.", examples=["192.0.2.7"])
    user_agent: str = Field(description="What the browser calls itself, shortened.", examples=["Mozilla/5.0"])
    created_at: str = Field(description="When the user signed in.", examples=["2026-01-31T12:00:00.000Z"])
    last_used_at: str = Field(
        description="When it was last used, to the minute.", examples=["2026-01-31T12:00:00.000Z"]
    )


@router.get("", summary="See who calls", responses=documented(401, 403, 404, 503))
async def see_me(services: ServicesDep, caller: AnyCaller) -> Data[MeBody]:
    """The user or the key, the role, and every scope that the caller has. The header `Stagedoor-Organisation` names the
    organisation, by slug or id, where a user belongs to several."""

    def see(tx: Transaction) -> tuple[User | None, tuple[Membership, ...]]:
        if caller.kind not in {"session", "token"}:
            return None, ()
        return users.get(tx, caller.key_id), store.memberships_of(tx, caller.key_id)

    user, memberships = await services.database.read(see)
    return Data(
        data=MeBody(
            kind=caller.kind,
            id=caller.key_id,
            user=None if user is None else user_body(user),
            organisation=caller.organisation_id or None,
            role=caller.role,
            scopes=sorted(caller.scopes),
            room_role=_room_role(caller, user),
            room_roles=_ROOM_ROLES,
            organisations=[membership_body(one) for one in memberships],
        )
    )


@router.patch("", summary="Change the own account", responses=documented(400, 401, 403, 404, 413, 422, 503))
async def change_me(services: ServicesDep, caller: SignedInUser, body: OwnChange) -> Data[UserBody]:
    """Fields that are left out stay as they are. The e-mail is changed by an operator, who makes sure whose it is."""

    def change(tx: Transaction) -> User:
        changed = users.update(tx, users.get(tx, caller.key_id), body.changes())
        _note(tx, caller, "user.changed", {"fields": sorted(body.model_fields_set)})
        return changed

    return Data(data=user_body(await services.database.write(change)))


@router.get("/sessions", summary="List the own sessions", responses=documented(401, 403, 404, 503))
async def list_sessions(services: ServicesDep, caller: SignedInUser) -> Page[OwnSessionBody]:
    """The browsers in which the user is signed in, the newest first; 100 at the most."""
    found = await services.database.read(lambda tx: session_store.sessions_of(tx, caller.key_id))
    return Page(data=[_body(one, caller) for one in found], page=PageInfo(next=None))


@router.delete(
    "/sessions/{session}", status_code=204, summary="End a session", responses=documented(401, 403, 404, 422, 503)
)
async def end_session(services: ServicesDep, caller: SignedInUser, reference: SessionRef) -> Response:
    """The browser is signed out from its next request on."""

    def end(tx: Transaction) -> None:
        sessions.revoke(tx, caller.key_id, reference)
        _note(tx, caller, "user.session_ended", {"session": reference})

    await services.database.write(end)
    return Response(status_code=204)


@router.delete("/sessions", status_code=204, summary="End all other sessions", responses=documented(401, 403, 404, 503))
async def end_other_sessions(services: ServicesDep, caller: SignedInUser) -> Response:
    """Every browser but this one is signed out from its next request on."""

    def end(tx: Transaction) -> None:
        ended = session_store.delete_sessions(tx, caller.key_id, but=caller.credential)
        _note(tx, caller, "user.sessions_ended", {"sessions": ended})

    await services.database.write(end)
    return Response(status_code=204)


_ROOM_ROLES: Final[dict[RoomRole, list[RoomAction]]] = {
    role: [action for action in ROOM_ACTIONS if action in actions] for role, actions in ROLE_ACTIONS.items()
}


def _room_role(caller: Principal, user: User | None) -> RoomRole | None:
    if user is not None and user.operator:
        return "host"
    return DEFAULT_ROLES.get(cast("Role", caller.role)) if caller.role else None


def _body(session: SignInSession, caller: Principal) -> OwnSessionBody:
    return OwnSessionBody(
        id=session.id,
        current=session.id == caller.credential,
        address=session.address,
        user_agent=session.user_agent,
        created_at=rfc3339(session.created_at),
        last_used_at=rfc3339(session.last_used_at),
    )


def _note(tx: Transaction, caller: Principal, action: str, detail: dict[str, Any]) -> None:
    trail.note(tx, caller, action, caller.key_id, organisation_id=None, detail=detail)
