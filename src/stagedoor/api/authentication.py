"""Who may call a route: each one states the scope it needs, or why it needs none."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import Scope

from stagedoor.access.roles import as_member, as_operator, with_token
from stagedoor.api.services import services_of
from stagedoor.api.session_cookie import header_of, refuse_cross_site, session_secret
from stagedoor.kernel.errors import Forbidden, Unauthenticated
from stagedoor.people.nouns import SignedIn
from stagedoor.people.tokens import PERSONAL_PREFIX
from stagedoor.services.services import Services
from stagedoor.tenancy import organisations
from stagedoor.tenancy.principals import OPERATOR, Principal

SECURITY_SCHEME: Final = "apiKey"
SESSION_SCHEME: Final = "session"
ORGANISATION_HEADER: Final = b"stagedoor-organisation"
"""Names the organisation in which a user acts, by slug or id."""


def secret_in(authorization: str | None) -> str | None:
    """The secret in an `Authorization: Bearer …` header; `None` when there is none."""
    scheme, _, secret = (authorization or "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def bearer(authorization: str | None) -> str:
    """The same, which must be there.

    Raises:
        Unauthenticated: There is none.
    """
    secret = secret_in(authorization)
    if secret is None:
        raise _no_credential()
    return secret


def _no_credential() -> Unauthenticated:
    return Unauthenticated(
        "Send an API key: Authorization: Bearer sk_…", code="no_key", headers={"WWW-Authenticate": "Bearer"}
    )


async def authenticated(services: Services, scope: Scope) -> Principal:
    """The caller of a request: by the first of its `Authorization` headers, or by the cookie of a session.

    Raises:
        Unauthenticated: It has no key, token or session, or one that is not known.
        Forbidden: The session's request comes from a page of another site.
        NotFound: The user does not belong to the organisation that the request names.
    """
    secret = secret_in(header_of(scope, b"authorization"))
    if secret is not None:
        return await by_secret(services, secret)
    secret = session_secret(services, scope)
    if secret is None:
        raise _no_credential()
    refuse_cross_site(services, scope)
    signed_in = await services.session_authenticator.authenticate(secret)
    return await _user(services, signed_in, header_of(scope, ORGANISATION_HEADER))


async def by_secret(services: Services, secret: str) -> Principal:
    """The caller with this key or personal access token.

    Raises:
        Unauthenticated: It is not known, or has expired.
    """
    if secret.startswith(PERSONAL_PREFIX):
        return with_token(*await services.token_authenticator.authenticate(secret))
    return await services.authenticator.authenticate(secret)


async def _user(services: Services, signed_in: SignedIn, organisation: str | None) -> Principal:
    if not signed_in.user.operator:
        return as_member(signed_in, "session", organisation)
    if organisation is None:
        return as_operator(signed_in, "session", None)
    named = await services.database.read(lambda tx: organisations.get(tx, OPERATOR, organisation))
    return as_operator(signed_in, "session", named.id)


class Needs:
    """A dependency: the caller, who must have `scope`."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, connection: HTTPConnection) -> Principal:
        principal = await authenticated(services_of(connection), connection.scope)
        principal.require(self.scope)
        return principal


class NeedsUnlessInRoom(Needs):
    """A dependency: the same, of callers other than users who are signed in.

    Those act on others in a room by their role there, whatever their role in the organisation: the route asks
    `require_action`.
    """

    async def __call__(self, connection: HTTPConnection) -> Principal:
        principal = await authenticated(services_of(connection), connection.scope)
        if principal.kind != "session":
            principal.require(self.scope)
        return principal


class NeedsCredential:
    """A dependency: the caller, who needs no scope; `who` says which callers."""

    def __init__(self, who: Literal["any", "user"]) -> None:
        self.who: Literal["any", "user"] = who

    async def __call__(self, connection: HTTPConnection) -> Principal:
        principal = await authenticated(services_of(connection), connection.scope)
        if self.who == "user" and principal.kind != "session":
            raise Forbidden("Only a user who is signed in may do this, and no key or token.", code="session_required")
        return principal


def needs(scope: str) -> Any:
    """`caller: Annotated[Principal, needs("rooms:read")]`."""
    return Depends(Needs(scope))


def public(reason: str) -> dict[str, Any]:
    """`openapi_extra` of a route that needs no key."""
    return {"x-access": f"public: {reason}"}


def scope_of(route: BaseRoute) -> str | None:
    """The scope that a route asks for; `None` when it asks for none."""
    own: str | None = getattr(route, "needed_scope", None)
    if own is not None or not isinstance(route, APIRoute):
        return own
    found = [dependency.call.scope for dependency in route.dependant.dependencies if isinstance(dependency.call, Needs)]
    return found[0] if found else None


def acts_in_room(route: BaseRoute) -> bool:
    """Whether a user who is signed in needs no scope for the route, but a role in the room that may do it."""
    if not isinstance(route, APIRoute):
        return False
    return any(isinstance(dependency.call, NeedsUnlessInRoom) for dependency in route.dependant.dependencies)


def credential_of(route: BaseRoute) -> Literal["any", "user"] | None:
    """Which callers a route without a scope asks for; `None` when it has one, or is public."""
    if not isinstance(route, APIRoute):
        return None
    dependencies = route.dependant.dependencies
    return next((one.call.who for one in dependencies if isinstance(one.call, NeedsCredential)), None)


OrganisationsRead = Annotated[Principal, needs("organisations:read")]
OrganisationsWrite = Annotated[Principal, needs("organisations:write")]
AppsRead = Annotated[Principal, needs("apps:read")]
AppsWrite = Annotated[Principal, needs("apps:write")]
KeysRead = Annotated[Principal, needs("keys:read")]
KeysWrite = Annotated[Principal, needs("keys:write")]
TokensWrite = Annotated[Principal, needs("tokens:write")]
RoomsRead = Annotated[Principal, needs("rooms:read")]
RoomsWrite = Annotated[Principal, needs("rooms:write")]
RoomsWriteOrAction = Annotated[Principal, Depends(NeedsUnlessInRoom("rooms:write"))]
RoomsJoin = Annotated[Principal, needs("rooms:join")]
SessionsRead = Annotated[Principal, needs("sessions:read")]
SessionsWrite = Annotated[Principal, needs("sessions:write")]
SessionsWriteOrAction = Annotated[Principal, Depends(NeedsUnlessInRoom("sessions:write"))]
TranscriptsRead = Annotated[Principal, needs("transcripts:read")]
TranscriptsWrite = Annotated[Principal, needs("transcripts:write")]
CamerasRead = Annotated[Principal, needs("cameras:read")]
CamerasWrite = Annotated[Principal, needs("cameras:write")]
IngressRead = Annotated[Principal, needs("ingress:read")]
IngressWrite = Annotated[Principal, needs("ingress:write")]
MembersRead = Annotated[Principal, needs("members:read")]
MembersWrite = Annotated[Principal, needs("members:write")]
UsersRead = Annotated[Principal, needs("users:read")]
UsersWrite = Annotated[Principal, needs("users:write")]
AuditRead = Annotated[Principal, needs("audit:read")]
EventsRead = Annotated[Principal, needs("events:read")]
UsageRead = Annotated[Principal, needs("usage:read")]
WebhooksRead = Annotated[Principal, needs("webhooks:read")]
WebhooksWrite = Annotated[Principal, needs("webhooks:write")]
Admin = Annotated[Principal, needs("admin")]
AnyCaller = Annotated[Principal, Depends(NeedsCredential("any"))]
SignedInUser = Annotated[Principal, Depends(NeedsCredential("user"))]
