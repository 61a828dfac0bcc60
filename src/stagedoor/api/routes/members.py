"""`/organisations/{organisation}/members`: who belongs to an organisation, and with which role."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from stagedoor.access.roles import may_give
from stagedoor.api.authentication import MembersRead, MembersWrite, SignedInUser
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.organisations import OrganisationRef
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Cursor, Data, Limit, Page, RequestModel, ResponseModel, page
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.people import members, store
from stagedoor.people.nouns import Member, Role
from stagedoor.storage import Transaction
from stagedoor.tenancy import organisations

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/organisations", tags=["Members"])

MemberRef = Annotated[
    str,
    Path(
        alias="member",
        max_length=64,
        pattern=NO_NUL,
        description="Id of the user.",
        examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class MemberBody(ResponseModel):
    """A member of an organisation."""

    id: str = Field(description="Id of the user.", examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    email: str = Field(description="E-mail of the user.", examples=["ada@example.com"])
    name: str = Field(description="Name for people.", examples=["Ada Lovelace"])
    picture: str | None = Field(
        description="URL of a picture; null for none.", examples=["https://www.example.com/ada.jpg"]
    )
    role: Role = Field(description="Role in the organisation.", examples=["member"])
    disabled: bool = Field(description="Whether the user cannot sign in.", examples=[False])
    joined_at: str = Field(description="When the user joined.", examples=["2026-01-31T12:00:00.000Z"])


class RoleChange(RequestModel):
    """Another role for a member."""

    role: Role = Field(description="The new role.", examples=["admin"])


@router.get("/{organisation}/members", summary="List members", responses=documented(401, 403, 404, 422, 503))
async def list_members(
    services: ServicesDep, caller: MembersRead, reference: OrganisationRef, cursor: Cursor = None, limit: Limit = 50
) -> Page[MemberBody]:
    """In the order in which their accounts were made."""

    def read(tx: Transaction) -> list[Member]:
        organisation = organisations.get(tx, caller, reference)
        return store.members_of(tx, organisation.id, after=cursor, limit=limit + 1)

    found = await services.database.read(read)
    return page([_body(member) for member in found], limit, lambda item: item.id)


@router.patch(
    "/{organisation}/members/{member}",
    summary="Give a member another role",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def change_member(
    services: ServicesDep, caller: MembersWrite, reference: OrganisationRef, user: MemberRef, body: RoleChange
) -> Data[MemberBody]:
    """Holds from the user's next request on. No caller gives or takes a role that may do more than itself, and an
    organisation keeps an owner who can sign in: to hand it over, make another member an owner first."""

    def change(tx: Transaction) -> Member:
        organisation = organisations.get(tx, caller, reference)
        before = members.get(tx, organisation.id, user)
        changed = members.change_role(tx, organisation.id, user, body.role, partial(may_give, caller))
        services.user_enforcer.look_at_user(tx, user)
        detail = {"before": before.role, "after": changed.role}
        trail.note(tx, caller, "member.changed", user, organisation_id=organisation.id, detail=detail)
        return changed

    return Data(data=_body(await services.database.write(change)))


@router.delete(
    "/{organisation}/members/{member}",
    status_code=204,
    summary="Remove a member",
    responses=documented(401, 403, 404, 409, 422, 503),
)
async def remove_member(
    services: ServicesDep, caller: MembersWrite, reference: OrganisationRef, user: MemberRef
) -> Response:
    """Holds from the user's next request on, and ends the user's tokens there. API keys that the user made stay: they
    are the organisation's. The user is removed from the rooms of its apps at once, and a join token of before leads
    to no longer than a moment there, except in rooms that are public or to which the user is invited by id."""

    def remove(tx: Transaction) -> None:
        organisation = organisations.get(tx, caller, reference)
        member = members.remove(tx, organisation.id, user, partial(may_give, caller))
        services.user_enforcer.look_at_user(tx, user)
        detail = {"role": member.role}
        trail.note(tx, caller, "member.removed", user, organisation_id=organisation.id, detail=detail)

    await services.database.write(remove)
    return Response(status_code=204)


@router.post(
    "/{organisation}/leave",
    status_code=204,
    summary="Leave an organisation",
    responses=documented(400, 401, 403, 404, 409, 422, 503),
)
async def leave_organisation(services: ServicesDep, caller: SignedInUser, reference: OrganisationRef) -> Response:
    """Every member may, whatever the role, but the last owner."""

    def leave(tx: Transaction) -> None:
        organisation_id = members.organisation_of(tx, caller.key_id, reference)
        member = members.remove(tx, organisation_id, caller.key_id, lambda _: True)
        services.user_enforcer.look_at_user(tx, caller.key_id)
        detail = {"role": member.role}
        trail.note(tx, caller, "member.left", caller.key_id, organisation_id=organisation_id, detail=detail)

    await services.database.write(leave)
    return Response(status_code=204)


def _body(member: Member) -> MemberBody:
    return MemberBody(
        id=member.user.id,
        email=member.user.email,
        name=member.user.name,
        picture=member.user.picture,
        role=member.role,
        disabled=member.user.disabled_at is not None,
        joined_at=rfc3339(member.joined_at),
    )
