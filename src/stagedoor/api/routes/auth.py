"""`/auth`: signing in and out, account links, and the password of the user who is signed in."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from stagedoor.api import session_cookie
from stagedoor.api.authentication import SignedInUser, public
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.people_bodies import Email, Password, Secret, UserBody, user_body
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import Data, Name, RequestModel, ResponseModel
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.errors import Invalid
from stagedoor.people import links, passwords, sessions, sign_in, store, token_store, users
from stagedoor.people.nouns import AccountLink, User
from stagedoor.people.sign_in import Verified
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/auth", tags=["Signing in"])


class Credentials(RequestModel):
    """What a user signs in with."""

    email: Email = Field(description="E-mail of the user.", examples=["ada@example.com"])
    password: Password = Field(description="Password of the user.", examples=["correct horse battery"])


class SignedInBody(ResponseModel):
    """A user who is signed in now; the session is in the cookie."""

    user: UserBody = Field(description="The user.")


class LinkSecret(RequestModel):
    """The secret of an account link."""

    secret: Secret = Field(
        description="What stands behind the # of the link.",
        examples=["lnk_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class LinkBody(ResponseModel):
    """What an account link is for."""

    purpose: Literal["first_owner", "password"] = Field(
        description="`first_owner` makes the account of the first owner, `password` sets the password of a user.",
        examples=["password"],
    )
    email: str | None = Field(
        description="E-mail of the user whose password it sets; null where the account is made.",
        examples=["ada@example.com"],
    )
    expires_at: str = Field(description="When it ends.", examples=["2026-01-31T13:00:00.000Z"])


class LinkUse(LinkSecret):
    """What to do with an account link."""

    password: Password = Field(description="The password to set.", examples=["correct horse battery"])
    email: Email | None = Field(
        default=None, description="E-mail of the account that is made.", examples=["ada@example.com"]
    )
    name: Name | None = Field(default=None, description="Name for people.", examples=["Ada Lovelace"])


class PasswordChange(RequestModel):
    """A new password, and the one of before."""

    current_password: Password = Field(description="The password of now.", examples=["correct horse battery"])
    new_password: Password = Field(description="The password to set.", examples=["another horse battery"])


@router.post(
    "/sign-in",
    summary="Sign in",
    responses=documented(400, 401, 403, 413, 422, 429, 503),
    openapi_extra=public("the password decides"),
)
async def sign_in_by_password(
    services: ServicesDep, request: Request, response: Response, body: Credentials
) -> Data[SignedInBody]:
    """Sets the cookie of a new session, and ends the session that the browser had. A wrong password and an e-mail that
    no account has are answered alike. Too many failures are answered 429; a browser in which the user has signed in
    before is counted by itself, so that the failures of others keep no user out of it."""
    scope = request.scope
    session_cookie.refuse_cross_site(services, scope)
    verified = await services.sign_in.verify(
        body.email,
        body.password,
        address=address_of(request),
        browser=session_cookie.known_browser(services, scope),
    )

    def begin(tx: Transaction) -> str:
        sign_in.still(tx, verified)
        return open_session(tx, services, request, verified.user)

    secret = await services.database.write(begin)
    session_cookie.begin(services, scope, response, secret, verified.known_browser)
    return signed_in_body(verified.user)


@router.post(
    "/sign-out",
    status_code=204,
    summary="Sign out",
    responses=documented(401, 403, 503),
)
async def sign_out(services: ServicesDep, request: Request, caller: SignedInUser) -> Response:
    """Ends the session of this browser."""

    def leave(tx: Transaction) -> None:
        sessions.revoke(tx, caller.key_id, caller.credential or "")
        _note(tx, caller, "user.signed_out", caller.key_id)

    await services.database.write(leave)
    response = Response(status_code=204)
    session_cookie.end(services, request.scope, response)
    return response


@router.post(
    "/links",
    summary="See what an account link is for",
    responses=documented(400, 403, 404, 413, 422, 503),
    openapi_extra=public("the secret of the link decides"),
)
async def see_link(services: ServicesDep, request: Request, body: LinkSecret) -> Data[LinkBody]:
    """The link goes on to work. One that was used, has expired or was never made is answered 404."""
    session_cookie.refuse_cross_site(services, request.scope)

    def see(tx: Transaction) -> tuple[AccountLink, User | None]:
        link = links.find(tx, body.secret)
        return link, None if link.user_id is None else users.get(tx, link.user_id)

    link, user = await services.database.read(see)
    email = None if user is None else user.email
    return Data(data=LinkBody(purpose=link.purpose, email=email, expires_at=rfc3339(link.expires_at)))


@router.post(
    "/links/use",
    summary="Set a password with an account link",
    responses=documented(400, 403, 404, 409, 413, 422, 503),
    openapi_extra=public("the secret of the link decides"),
)
async def use_link(services: ServicesDep, request: Request, response: Response, body: LinkUse) -> Data[SignedInBody]:
    """Makes the account of the first owner, with `email` and `name`, or sets the password of a user, and ends every
    session and token that the user had. Signs in, and the link works no more."""
    scope = request.scope
    session_cookie.refuse_cross_site(services, scope)
    link, email = await services.database.read(lambda tx: _seen(tx, body))
    passwords.check(body.password, email)
    made = await services.passwords.hash(body.password)

    def use(tx: Transaction) -> tuple[User, str]:
        links.use(tx, body.secret)
        user = _user_of(tx, link, email, body.name)
        sign_in.set_password(tx, user, made)
        token_store.delete_tokens(tx, user.id)
        _note(tx, _as(user), "user.password_set", user.id, {"by": link.purpose})
        return user, open_session(tx, services, request, user)

    user, secret = await services.database.write(use)
    session_cookie.begin(services, scope, response, secret, services.sign_in.known_browser(user.email))
    return signed_in_body(user)


@router.post(
    "/password",
    summary="Change the own password",
    responses=documented(400, 401, 403, 409, 413, 422, 429, 503),
)
async def change_password(
    services: ServicesDep, request: Request, response: Response, caller: SignedInUser, body: PasswordChange
) -> Data[SignedInBody]:
    """Ends every session of the user; this browser gets a new one. Personal access tokens stay."""
    user = await services.database.read(lambda tx: users.get(tx, caller.key_id))
    verified = await _reverified(services, request, user, body.current_password)
    passwords.check(body.new_password, user.email)
    made = await services.passwords.hash(body.new_password)

    def change(tx: Transaction) -> str:
        sign_in.still(tx, verified)
        sign_in.set_password(tx, user, made)
        _note(tx, caller, "user.password_changed", user.id)
        return open_session(tx, services, request, user)

    secret = await services.database.write(change)
    session_cookie.begin(services, request.scope, response, secret, verified.known_browser)
    return signed_in_body(user)


async def _reverified(services: Services, request: Request, user: User, password: str) -> Verified:
    """The user with the password of now, which counts as a sign-in does: a session alone must not let one guess it."""
    browser = session_cookie.known_browser(services, request.scope)
    return await services.sign_in.verify(user.email, password, address=address_of(request), browser=browser)


def _seen(tx: Transaction, body: LinkUse) -> tuple[AccountLink, str]:
    """The link, and the e-mail of the account that it makes or is of."""
    link = links.find(tx, body.secret)
    if link.user_id is not None:
        return link, users.get(tx, link.user_id).email
    if body.email is None:
        raise Invalid("email: this link makes an account; give it an e-mail.", code="validation_failed")
    return link, users.checked(body.email)


def _user_of(tx: Transaction, link: AccountLink, email: str, name: str | None) -> User:
    """The user whose password the link sets; made where it is the first owner's."""
    if link.user_id is not None:
        return users.get(tx, link.user_id)
    user = users.create(tx, email=email, name=name, operator=True)
    if link.organisation_id is not None:
        users.join(tx, user, link.organisation_id, "owner")
    _note(tx, _as(user), "user.created", user.id, {"email": user.email, "operator": True})
    return user


def _as(user: User) -> Principal:
    """The user as the actor of what a link does, before there is a session."""
    return Principal(user.id, frozenset(), None, kind="session")


def open_session(tx: Transaction, services: Services, request: Request, user: User) -> str:
    """Open a session of the user instead of the one that the browser had; its secret."""
    session, secret = sessions.open_session(
        tx,
        user.id,
        address=address_of(request),
        user_agent=request.headers.get("user-agent", ""),
        instead_of=session_cookie.session_secret(services, request.scope),
    )
    for organisation_id in [one.organisation_id for one in store.memberships_of(tx, user.id)] or [None]:
        actor = Principal(user.id, frozenset(), organisation_id, kind="session", credential=session.id)
        detail = {"address": session.address}
        trail.note(tx, actor, "user.signed_in", user.id, organisation_id=organisation_id, detail=detail)
    return secret


def _note(
    tx: Transaction, actor: Principal, action: str, user_id: str, detail: dict[str, object] | None = None
) -> None:
    """In the trail of the installation: an account is no organisation's."""
    trail.note(tx, actor, action, user_id, organisation_id=None, detail=detail)


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""


def signed_in_body(user: User) -> Data[SignedInBody]:
    """The answer to a sign-in."""
    return Data(data=SignedInBody(user=user_body(user)))
