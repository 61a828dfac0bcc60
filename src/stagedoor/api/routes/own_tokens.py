"""`/me/tokens`: the personal access tokens of the user who is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from stagedoor.api.authentication import SignedInUser
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    Data,
    Name,
    Page,
    PageInfo,
    RequestModel,
    ResponseModel,
    Text,
    Timestamp,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.people import token_store, tokens
from stagedoor.people.nouns import PersonalAccessToken
from stagedoor.storage import Transaction

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/me/tokens", tags=["Own account"])

TokenRef = Annotated[
    str,
    Path(
        alias="token",
        max_length=64,
        pattern=NO_NUL,
        description="Id of the token.",
        examples=["tok_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class TokenBody(ResponseModel):
    """A personal access token, without its secret."""

    id: str = Field(description="Identifier.", examples=["tok_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    name: str = Field(description="Name for people.", examples=["laptop"])
    hint: str = Field(description="The secret's last four characters.", examples=["x7Qe"])
    scopes: list[str] = Field(
        description="The scopes of the token; those that the user loses, the token loses too.",
        examples=[["rooms:read"]],
    )
    organisation: str | None = Field(
        description="Id of the organisation in which it acts; null for the whole installation, of an operator.",
        examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    expires_at: str | None = Field(
        description="When it ends by itself; null for never.", examples=["2027-01-31T12:00:00.000Z"]
    )
    last_used_at: str | None = Field(
        description="When it was last used, to the minute.", examples=["2026-01-31T12:00:00.000Z"]
    )


class NewTokenBody(TokenBody):
    """A new personal access token, with its secret, which is shown this once."""

    token: str = Field(
        description="The secret. It cannot be had again.",
        examples=["pat_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class NewAccessToken(RequestModel):
    """A personal access token to create."""

    name: Name = Field(description="Name for people.", examples=["laptop"])
    scopes: list[Text] = Field(
        min_length=1, max_length=50, description="The scopes of the token.", examples=[["rooms:read"]]
    )
    expires_at: Timestamp | None = Field(
        default=None, description="When it ends by itself; never if not given.", examples=["2036-01-31T12:00:00Z"]
    )


@router.post(
    "",
    status_code=201,
    summary="Create a personal access token",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_token(services: ServicesDep, caller: SignedInUser, body: NewAccessToken) -> Data[NewTokenBody]:
    """The token acts in the organisation in which the user acts now, and has no scope that the user lacks there, then
    and whenever it is used. Send it as an API key is sent. It ends when its user is disabled, leaves the organisation
    or gets a password by a link."""

    def make(tx: Transaction) -> tuple[PersonalAccessToken, str]:
        expires_at = from_rfc3339(body.expires_at) if body.expires_at else None
        token, secret = tokens.create(tx, caller, name=body.name, scopes=body.scopes, expires_at=expires_at)
        detail = {"name": token.name, "scopes": list(token.scopes)}
        trail.note(tx, caller, "token.created", token.id, organisation_id=token.organisation_id, detail=detail)
        return token, secret

    token, secret = await services.database.write(make)
    return Data(data=NewTokenBody.model_validate(_fields(token) | {"token": secret}))


@router.get("", summary="List the own tokens", responses=documented(401, 403, 404, 503))
async def list_tokens(services: ServicesDep, caller: SignedInUser) -> Page[TokenBody]:
    """Those of the user in every organisation, the newest first, without their secrets; 100 at the most."""
    found = await services.database.read(lambda tx: token_store.tokens_of(tx, caller.key_id))
    return Page(data=[TokenBody.model_validate(_fields(one)) for one in found], page=PageInfo(next=None))


@router.delete("/{token}", status_code=204, summary="Revoke a token", responses=documented(401, 403, 404, 422, 503))
async def revoke_token(services: ServicesDep, caller: SignedInUser, reference: TokenRef) -> Response:
    """From the next request on it opens nothing."""

    def drop(tx: Transaction) -> None:
        tokens.revoke(tx, caller.key_id, reference)
        trail.note(tx, caller, "token.revoked", reference, organisation_id=None)

    await services.database.write(drop)
    return Response(status_code=204)


def _fields(token: PersonalAccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "hint": token.hint,
        "scopes": list(token.scopes),
        "organisation": token.organisation_id,
        "created_at": rfc3339(token.created_at),
        "expires_at": when(token.expires_at),
        "last_used_at": when(token.last_used_at),
    }
