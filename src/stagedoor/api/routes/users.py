"""`/users`: the users of the installation, for its operators."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import Field

from stagedoor.access.roles import may_give
from stagedoor.api.addresses import account_link_url
from stagedoor.api.authentication import UsersRead, UsersWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.people_bodies import Email, UserBody, user_body
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.me import OwnChange
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Cursor, Data, Limit, Name, Page, RequestModel, ResponseModel, Text, page
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Conflict, Forbidden
from stagedoor.people import links, store, users
from stagedoor.people.nouns import Role, User
from stagedoor.storage import Transaction
from stagedoor.tenancy import organisations
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import ADMIN

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/users", tags=["Users"])

_ADMIN: Final = frozenset({ADMIN})

UserRef = Annotated[
    str,
    Path(
        alias="user",
        max_length=254,
        pattern=NO_NUL,
        description="Id or e-mail of the user.",
        examples=["usr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class LinkMade(ResponseModel):
    """A link that sets the password of a user, shown this once."""

    url: str = Field(
        description="The link; it works once.",
        examples=["https://stagedoor.example.com/welcome#lnk_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )
    expires_at: str = Field(description="When it ends.", examples=["2026-01-31T13:00:00.000Z"])


class NewUserBody(UserBody):
    """A new user, with the link that sets the password."""

    url: str = Field(
        description="The link that sets the password; it works once, for an hour.",
        examples=["https://stagedoor.example.com/welcome#lnk_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class NewUser(RequestModel):
    """A user to create."""

    email: Email = Field(description="E-mail; the user signs in with it.", examples=["ada@example.com"])
    name: Name | None = Field(default=None, description="Name for people.", examples=["Ada Lovelace"])
    operator: bool = Field(default=False, description="Whether the user operates the installation.", examples=[False])
    organisation: Text | None = Field(
        default=None,
        max_length=64,
        description="Slug or id of an organisation that the user joins.",
        examples=["default"],
    )
    role: Role = Field(default="member", description="Role of the user in that organisation.", examples=["member"])


class UserChange(OwnChange):
    """What to change of a user; what is left out stays."""

    operator: bool | None = Field(
        default=None, description="Whether the user operates the installation.", examples=[True]
    )
    disabled: bool | None = Field(default=None, description="Whether the user cannot sign in.", examples=[True])


@router.post(
    "",
    status_code=201,
    summary="Create a user",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_user(services: ServicesDep, caller: UsersWrite, body: NewUser) -> Data[NewUserBody]:
    """The user has no password until one is set with the link. Only a key or an operator of the whole installation
    may."""
    caller.require_installation()

    def make(tx: Transaction) -> tuple[User, str]:
        if (body.operator and not caller.covers(_ADMIN)) or (body.organisation and not may_give(caller, body.role)):
            raise _stronger()
        user = users.create(tx, email=body.email, name=body.name, operator=body.operator)
        detail: dict[str, Any] = {"email": user.email, "operator": user.operator}
        organisation_id = None
        if body.organisation is not None:
            organisation_id = organisations.get(tx, caller, body.organisation).id
            users.join(tx, user, organisation_id, body.role)
            detail["role"] = body.role
        trail.note(tx, caller, "user.created", user.id, organisation_id=organisation_id, detail=detail)
        return user, links.for_password(tx, user.id)[0]

    user, secret = await services.database.write(make)
    made = user_body(user).model_dump() | {"url": account_link_url(services, secret)}
    return Data(data=NewUserBody.model_validate(made))


@router.get("", summary="List users", responses=documented(401, 403, 422, 503))
async def list_users(
    services: ServicesDep, caller: UsersRead, cursor: Cursor = None, limit: Limit = 50
) -> Page[UserBody]:
    """Those of the whole installation. Only its keys and operators may."""
    caller.require_installation()
    found = await services.database.read(lambda tx: store.list_users(tx, after=cursor, limit=limit + 1))
    return page([user_body(user) for user in found], limit, lambda item: item.id)


@router.get("/{user}", summary="Get a user", responses=documented(401, 403, 404, 422, 503))
async def get_user(services: ServicesDep, caller: UsersRead, reference: UserRef) -> Data[UserBody]:
    """By id or e-mail. Only a key or an operator of the whole installation may."""
    caller.require_installation()
    return Data(data=user_body(await services.database.read(lambda tx: users.get(tx, reference))))


@router.patch("/{user}", summary="Change a user", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def change_user(
    services: ServicesDep, caller: UsersWrite, reference: UserRef, body: UserChange
) -> Data[UserBody]:
    """A user who is disabled is signed out and removed from every room at once, and cannot sign in. Only a key or
    an operator of the whole installation may. No operator disables the own account or gives its operator flag away, and
    no caller changes a user who may do more than itself."""
    caller.require_installation()

    def change(tx: Transaction) -> User:
        user = users.get(tx, reference)
        _refuse_own(caller, user, body)
        _refuse_stronger(tx, caller, user)
        if body.operator and not caller.covers(_ADMIN):
            raise _stronger()
        changes = body.changes()
        disabled = changes.pop("disabled", None)
        given = {name: value for name, value in changes.items() if name != "operator" or value is not None}
        changed = users.update(tx, user, given)
        if disabled is not None:
            changed = users.disable(tx, changed) if disabled else users.enable(tx, changed)
        services.user_enforcer.look_at_user(tx, user.id)
        detail = {"fields": sorted(body.model_fields_set), "disabled": changed.disabled_at is not None}
        trail.note(tx, caller, "user.changed", user.id, organisation_id=None, detail=detail)
        return changed

    return Data(data=user_body(await services.database.write(change)))


@router.post(
    "/{user}/password-link",
    status_code=201,
    summary="Make a link that sets a user's password",
    responses=documented(400, 401, 403, 404, 409, 422, 503),
)
async def make_password_link(services: ServicesDep, caller: UsersWrite, reference: UserRef) -> Data[LinkMade]:
    """For an hour, once, and instead of links that were made before. The password of before works until the link is
    used, which ends the user's sessions. Only a key or an operator of the whole installation may."""
    caller.require_installation()

    def make(tx: Transaction) -> tuple[str, int]:
        user = users.get(tx, reference)
        _refuse_stronger(tx, caller, user)
        if user.disabled_at is not None:
            raise Conflict("This user is disabled.", code="user_disabled")
        trail.note(tx, caller, "user.password_link_made", user.id, organisation_id=None)
        return links.for_password(tx, user.id)

    secret, expires_at = await services.database.write(make)
    return Data(data=LinkMade(url=account_link_url(services, secret), expires_at=rfc3339(expires_at)))


def _refuse_own(caller: Principal, user: User, body: UserChange) -> None:
    if caller.key_id == user.id and (body.disabled or body.operator is False):
        raise Conflict("Another operator has to do this to your account.", code="own_account")


def _refuse_stronger(tx: Transaction, caller: Principal, user: User) -> None:
    """Who sets the password of a user may do what the user may."""
    roles: list[Role] = [one.role for one in store.memberships_of(tx, user.id)]
    if (user.operator and not caller.covers(_ADMIN)) or not all(may_give(caller, role) for role in roles):
        raise _stronger()


def _stronger() -> Forbidden:
    return Forbidden("This user may do more than the caller.", code="beyond_own_scopes")
