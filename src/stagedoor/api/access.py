"""Who may call a route: each one states the scope it needs, or why it needs none."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import Scope

from stagedoor.api.services import Services, services_of
from stagedoor.kernel.errors import Unauthenticated
from stagedoor.tenancy.principals import Principal

SECURITY_SCHEME: Final = "apiKey"


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
        raise Unauthenticated(
            "Send an API key: Authorization: Bearer sk_…",
            code="no_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return secret


async def authenticated(services: Services, scope: Scope) -> Principal:
    """The caller of a request that a front route answers, by the first of its `Authorization` headers.

    Raises:
        Unauthenticated: It has no key, or one that is not known.
    """
    header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    return await services.authenticator.authenticate(bearer(None if header is None else header.decode("latin-1")))


class Needs:
    """A dependency: the caller, who must have `scope`."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, connection: HTTPConnection) -> Principal:
        principal = await services_of(connection).authenticator.authenticate(
            bearer(connection.headers.get("authorization"))
        )
        principal.require(self.scope)
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


OrganisationsRead = Annotated[Principal, needs("organisations:read")]
OrganisationsWrite = Annotated[Principal, needs("organisations:write")]
AppsRead = Annotated[Principal, needs("apps:read")]
AppsWrite = Annotated[Principal, needs("apps:write")]
KeysRead = Annotated[Principal, needs("keys:read")]
KeysWrite = Annotated[Principal, needs("keys:write")]
TokensWrite = Annotated[Principal, needs("tokens:write")]
RoomsRead = Annotated[Principal, needs("rooms:read")]
RoomsWrite = Annotated[Principal, needs("rooms:write")]
SessionsRead = Annotated[Principal, needs("sessions:read")]
SessionsWrite = Annotated[Principal, needs("sessions:write")]
TranscriptsRead = Annotated[Principal, needs("transcripts:read")]
TranscriptsWrite = Annotated[Principal, needs("transcripts:write")]
CamerasRead = Annotated[Principal, needs("cameras:read")]
CamerasWrite = Annotated[Principal, needs("cameras:write")]
AuditRead = Annotated[Principal, needs("audit:read")]
EventsRead = Annotated[Principal, needs("events:read")]
UsageRead = Annotated[Principal, needs("usage:read")]
WebhooksRead = Annotated[Principal, needs("webhooks:read")]
WebhooksWrite = Annotated[Principal, needs("webhooks:write")]
Admin = Annotated[Principal, needs("admin")]
