"""Invitations: made and taken back by an organisation, accepted by a user who is signed in or makes an account."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from stagedoor.access.roles import may_give
from stagedoor.api import session_cookie
from stagedoor.api.addresses import invitation_url
from stagedoor.api.authentication import MembersRead, MembersWrite, SignedInUser, public
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.people_bodies import Email, MembershipBody, Password, Secret, membership_body
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.auth import SignedInBody, address_of, open_session, signed_in_body
from stagedoor.api.routes.organisations import OrganisationRef
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Cursor, Data, Limit, Name, Page, RequestModel, ResponseModel, Text, page
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import Invalid
from stagedoor.people import invitation_store, members, passwords, sign_in, store, users
from stagedoor.people.nouns import Invitation, Membership, Role, User
from stagedoor.people.settings import INVITATION_LIFE
from stagedoor.storage import Transaction
from stagedoor.tenancy import organisations
from stagedoor.tenancy.nouns import Organisation
from stagedoor.tenancy.principals import OPERATOR, Principal

router = APIRouter(route_class=DeferredRoute, prefix=PREFIX, tags=["Invitations"])
_ORGANISATION = "/organisations/{organisation}/invitations"

InvitationRef = Annotated[
    str,
    Path(
        alias="invitation",
        max_length=64,
        pattern=NO_NUL,
        description="Id of the invitation.",
        examples=["inv_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class InvitationBody(ResponseModel):
    """An invitation that waits, without its link."""

    id: str = Field(description="Identifier.", examples=["inv_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    role: Role = Field(description="Role that it gives.", examples=["member"])
    email: str | None = Field(
        description="The only e-mail that it is for; null where the link is enough.", examples=["ada@example.com"]
    )
    invited_by: str = Field(
        description="Id of the user or key that made it.", examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]
    )
    created_at: str = Field(description="When it was made.", examples=["2026-01-31T12:00:00.000Z"])
    expires_at: str = Field(description="When it ends.", examples=["2026-02-07T12:00:00.000Z"])


class NewInvitationBody(InvitationBody):
    """A new invitation, with its link, which is shown this once."""

    url: str = Field(
        description="The link; it works once.",
        examples=["https://stagedoor.example.com/invitation#inv_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class NewInvitation(RequestModel):
    """An invitation to make."""

    role: Role = Field(default="member", description="Role that it gives.", examples=["member"])
    email: Email | None = Field(
        default=None, description="The only e-mail that it is for.", examples=["ada@example.com"]
    )
    expires_in: Text = Field(
        default=INVITATION_LIFE, max_length=20, description="How long it works; 1m to 30d.", examples=["7d"]
    )


class InvitationSecret(RequestModel):
    """The secret of an invitation."""

    secret: Secret = Field(
        description="What stands behind the # of the link.",
        examples=["inv_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class InvitedBody(ResponseModel):
    """What an invitation is to."""

    organisation: str = Field(description="Name of the organisation.", examples=["Acme"])
    role: Role = Field(description="Role that it gives.", examples=["member"])
    email: str | None = Field(
        description="The only e-mail that it is for; null where the link is enough.", examples=["ada@example.com"]
    )
    expires_at: str = Field(description="When it ends.", examples=["2026-02-07T12:00:00.000Z"])


class NewAccount(InvitationSecret):
    """An account that an invitation makes."""

    email: Email = Field(description="E-mail; the user signs in with it.", examples=["ada@example.com"])
    name: Name | None = Field(default=None, description="Name for people.", examples=["Ada Lovelace"])
    password: Password = Field(description="The password to set.", examples=["correct horse battery"])


@router.post(
    _ORGANISATION,
    status_code=201,
    summary="Invite to an organisation",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def invite(
    services: ServicesDep, caller: MembersWrite, reference: OrganisationRef, body: NewInvitation
) -> Data[NewInvitationBody]:
    """The link is in this answer and nowhere else, and nothing is sent: hand it to the person. No caller gives a role
    that may do more than itself."""
    try:
        seconds = parse_duration(body.expires_in)
    except ValueError as error:
        raise Invalid(f"expiresIn: {error}.", code="bad_expiry") from None

    def make(tx: Transaction) -> tuple[Invitation, str]:
        organisation = organisations.get(tx, caller, reference)
        made, secret = members.invite(
            tx,
            organisation.id,
            may_give=partial(may_give, caller),
            by=caller.key_id,
            role=body.role,
            email=body.email,
            seconds=seconds,
        )
        detail = {"role": made.role, "email": made.email}
        trail.note(tx, caller, "invitation.created", made.id, organisation_id=organisation.id, detail=detail)
        return made, secret

    made, secret = await services.database.write(make)
    fields = _body(made).model_dump() | {"url": invitation_url(services, secret)}
    return Data(data=NewInvitationBody.model_validate(fields))


@router.get(_ORGANISATION, summary="List invitations", responses=documented(401, 403, 404, 422, 503))
async def list_invitations(
    services: ServicesDep, caller: MembersRead, reference: OrganisationRef, cursor: Cursor = None, limit: Limit = 50
) -> Page[InvitationBody]:
    """Those that wait, without their links."""

    def read(tx: Transaction) -> list[Invitation]:
        organisation = organisations.get(tx, caller, reference)
        return invitation_store.invitations_of(tx, organisation.id, after=cursor, limit=limit + 1)

    found = await services.database.read(read)
    return page([_body(one) for one in found], limit, lambda item: item.id)


@router.delete(
    f"{_ORGANISATION}/{{invitation}}",
    status_code=204,
    summary="Take an invitation back",
    responses=documented(401, 403, 404, 422, 503),
)
async def take_back(
    services: ServicesDep, caller: MembersWrite, reference: OrganisationRef, invitation: InvitationRef
) -> Response:
    """Its link works no more."""

    def drop(tx: Transaction) -> None:
        organisation = organisations.get(tx, caller, reference)
        found = members.take_back(tx, organisation.id, invitation, partial(may_give, caller))
        trail.note(tx, caller, "invitation.taken_back", found.id, organisation_id=organisation.id)

    await services.database.write(drop)
    return Response(status_code=204)


@router.post(
    "/auth/invitations",
    summary="See what an invitation is to",
    responses=documented(400, 403, 404, 413, 422, 503),
    openapi_extra=public("the secret of the link decides"),
)
async def see_invitation(services: ServicesDep, request: Request, body: InvitationSecret) -> Data[InvitedBody]:
    """The link goes on to work. One that was used, taken back, has expired or was never made is answered 404."""
    session_cookie.refuse_cross_site(services, request.scope)

    def see(tx: Transaction) -> tuple[Invitation, Organisation]:
        found = members.invitation(tx, body.secret)
        return found, organisations.get(tx, OPERATOR, found.organisation_id)

    found, organisation = await services.database.read(see)
    return Data(
        data=InvitedBody(
            organisation=organisation.name,
            role=found.role,
            email=found.email,
            expires_at=rfc3339(found.expires_at),
        )
    )


@router.post(
    "/auth/invitations/accept",
    summary="Accept an invitation",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def accept_invitation(
    services: ServicesDep, caller: SignedInUser, body: InvitationSecret
) -> Data[MembershipBody]:
    """The user who is signed in becomes a member, and the link works no more."""

    def accept(tx: Transaction) -> Membership:
        user = users.get(tx, caller.key_id)
        found = members.accept(tx, body.secret, user)
        _joined(tx, caller, found)
        return next(one for one in store.memberships_of(tx, user.id) if one.organisation_id == found.organisation_id)

    return Data(data=membership_body(await services.database.write(accept)))


@router.post(
    "/auth/invitations/sign-up",
    status_code=201,
    summary="Make an account with an invitation",
    responses=documented(400, 403, 404, 409, 413, 422, 429, 503),
    openapi_extra=public("the secret of the link decides"),
)
async def sign_up(services: ServicesDep, request: Request, response: Response, body: NewAccount) -> Data[SignedInBody]:
    """Makes the account, which becomes a member and is signed in; the link works no more. Where the e-mail has an
    account already, 409: its user signs in and accepts. Attempts that fail are counted as those of signing in."""
    session_cookie.refuse_cross_site(services, request.scope)
    invited = await services.database.read(lambda tx: members.invitation(tx, body.secret))
    email = users.checked(body.email)
    if invited.email is not None and invited.email != email:
        raise Invalid("email: this invitation is for another e-mail address.", code="invitation_for_another")
    passwords.check(body.password, email)
    attempt = services.sign_in.begin(email, address_of(request), session_cookie.known_browser(services, request.scope))
    made = await services.passwords.hash(body.password)

    def join(tx: Transaction) -> tuple[User, str]:
        user = users.create(tx, email=email, name=body.name, operator=False)
        sign_in.set_password(tx, user, made)
        found = members.accept(tx, body.secret, user)
        _joined(tx, Principal(user.id, frozenset(), found.organisation_id, kind="session"), found)
        return user, open_session(tx, services, request, user)

    user, secret = await services.database.write(join)
    attempt.forget()
    session_cookie.begin(services, request.scope, response, secret, services.sign_in.known_browser(user.email))
    return signed_in_body(user)


def _joined(tx: Transaction, user: Principal, found: Invitation) -> None:
    detail = {"role": found.role, "invitedBy": found.invited_by}
    trail.note(tx, user, "invitation.accepted", found.id, organisation_id=found.organisation_id, detail=detail)


def _body(invitation: Invitation) -> InvitationBody:
    return InvitationBody(
        id=invitation.id,
        role=invitation.role,
        email=invitation.email,
        invited_by=invitation.invited_by,
        created_at=rfc3339(invitation.created_at),
        expires_at=rfc3339(invitation.expires_at),
    )
