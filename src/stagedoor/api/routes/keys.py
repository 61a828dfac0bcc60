"""`/keys`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from stagedoor.api.authentication import KeysRead, KeysWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    Cursor,
    Data,
    Limit,
    Name,
    Page,
    RequestModel,
    ResponseModel,
    Text,
    Timestamp,
    page,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, keys, organisations, store
from stagedoor.tenancy.nouns import ApiKey
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/keys", tags=["API keys"])

KeyRef = Annotated[
    str,
    Path(
        alias="key",
        max_length=64,
        pattern=NO_NUL,
        description="The key's id.",
        examples=["key_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]


class KeyBody(ResponseModel):
    """An API key, without its secret."""

    id: str = Field(description="Identifier.", examples=["key_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    name: str = Field(description="Name for people.", examples=["backend"])
    hint: str = Field(description="The secret's last four characters.", examples=["x7Qe"])
    scopes: list[str] = Field(description="The scopes of the key.", examples=[["tokens:write"]])
    organisation: str | None = Field(
        description="Id of the only organisation that it sees; null for the whole installation.",
        examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    app: str | None = Field(
        description="Id of the only app that it sees; null for all.",
        examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    expires_at: str | None = Field(
        description="When it ends by itself; null for never.", examples=["2027-01-31T12:00:00.000Z"]
    )
    last_used_at: str | None = Field(
        description="When it was last used, to the minute.", examples=["2026-01-31T12:00:00.000Z"]
    )


class NewKeyBody(KeyBody):
    """A new API key, with its secret, which is shown this once."""

    key: str = Field(
        description="The secret. It cannot be had again.",
        examples=["sk_2f0VfQ8y1vJb3mS6tX9wZ4aC7dE0gH5kL8nP1qR3uYs"],
    )


class NewKey(RequestModel):
    """An API key to create."""

    name: Name = Field(description="Name for people.", examples=["backend"])
    organisation: Text | None = Field(
        default=None,
        max_length=64,
        description="Bind it to this organisation (slug or id); the creator's own if not given.",
        examples=["default"],
    )
    app: Text | None = Field(
        default=None, max_length=64, description="Bind it to this app (slug or id).", examples=["live"]
    )
    scopes: list[Text] = Field(
        min_length=1, max_length=50, description="The scopes of the key.", examples=[["tokens:write", "rooms:read"]]
    )
    expires_at: Timestamp | None = Field(
        default=None,
        description="When it ends by itself; with the creator's own key if not given.",
        examples=["2036-01-31T12:00:00Z"],
    )


class KeyChange(RequestModel):
    """What to change of an API key; what is left out stays."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["backend"])
    scopes: list[Text] | None = Field(
        default=None, min_length=1, max_length=50, description="The scopes of the key.", examples=[["tokens:write"]]
    )
    expires_at: Timestamp | None = Field(
        default=None, description="When it ends by itself; null for never.", examples=["2036-01-31T12:00:00Z"]
    )


def _fields(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "scopes": list(key.scopes),
        "organisation": key.organisation_id,
        "app": key.app_id,
        "created_at": rfc3339(key.created_at),
        "expires_at": when(key.expires_at),
        "last_used_at": when(key.last_used_at),
    }


@router.post(
    "",
    status_code=201,
    summary="Create an API key",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_key(services: ServicesDep, caller: KeysWrite, body: NewKey) -> Data[NewKeyBody]:
    """A key cannot give more scopes than it has, or for longer: without `expiresAt` it ends with the key that made
    it. The secret is in this answer and nowhere else."""

    def make(tx: Transaction) -> tuple[ApiKey, str]:
        organisation_id, app_id = _bounds(tx, caller, body)
        key, secret = keys.create(
            tx,
            caller,
            name=body.name,
            scopes=body.scopes,
            organisation_id=organisation_id,
            app_id=app_id,
            expires_at=from_rfc3339(body.expires_at) if body.expires_at else None,
        )
        _note(tx, caller, "key.created", key)
        return key, secret

    key, secret = await services.database.write(make)
    return Data(data=NewKeyBody.model_validate(_fields(key) | {"key": secret}))


def _bounds(tx: Transaction, caller: Principal, body: NewKey) -> tuple[str | None, str | None]:
    if body.app is not None:
        app = apps.get(tx, caller, body.app)
        if body.organisation is not None:
            visible = Principal("bounds", frozenset(), app.organisation_id, None)
            organisations.get(tx, visible, body.organisation)
        return app.organisation_id, app.id
    if body.organisation is not None:
        return organisations.get(tx, caller, body.organisation).id, caller.app_id
    return caller.organisation_id, caller.app_id


@router.get("", summary="List API keys", responses=documented(401, 403, 422, 503))
async def list_keys(services: ServicesDep, caller: KeysRead, cursor: Cursor = None, limit: Limit = 50) -> Page[KeyBody]:
    """Those within the key's own bounds, without their secrets."""
    await services.authenticator.record_use()
    found = await services.database.read(lambda tx: store.list_keys(tx, caller, after=cursor, limit=limit + 1))
    return page([KeyBody.model_validate(_fields(key)) for key in found], limit, lambda item: item.id)


@router.get("/{key}", summary="Get an API key", responses=documented(401, 403, 404, 422, 503))
async def get_key(services: ServicesDep, caller: KeysRead, reference: KeyRef) -> Data[KeyBody]:
    """Without its secret."""
    await services.authenticator.record_use()
    found = await services.database.read(lambda tx: keys.get(tx, caller, reference))
    return Data(data=KeyBody.model_validate(_fields(found)))


@router.patch("/{key}", summary="Change an API key", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def change_key(services: ServicesDep, caller: KeysWrite, reference: KeyRef, body: KeyChange) -> Data[KeyBody]:
    """Fields that are left out stay as they are. Takes effect from the next request on. A key that expires cannot let
    one, itself included, live longer than it does, nor give more scopes to one that does."""

    def change(tx: Transaction) -> ApiKey:
        changed = keys.update(
            tx,
            caller,
            reference,
            name=body.name,
            scopes=body.scopes,
            expires_at=from_rfc3339(body.expires_at) if body.expires_at else None,
            change_expiry="expires_at" in body.model_fields_set,
        )
        _note(tx, caller, "key.changed", changed)
        tx.after_commit(services.forget_tenancy)
        return changed

    return Data(data=KeyBody.model_validate(_fields(await services.database.write(change))))


@router.delete("/{key}", status_code=204, summary="Revoke an API key", responses=documented(401, 403, 404, 422, 503))
async def revoke_key(services: ServicesDep, caller: KeysWrite, reference: KeyRef) -> Response:
    """From the next request on it opens nothing."""

    def drop(tx: Transaction) -> None:
        _note(tx, caller, "key.revoked", keys.revoke(tx, caller, reference))
        tx.after_commit(services.forget_tenancy)

    await services.database.write(drop)
    return Response(status_code=204)


def _note(tx: Transaction, caller: Principal, action: str, key: ApiKey) -> None:
    detail = {"name": key.name, "scopes": list(key.scopes)}
    trail.note(tx, caller, action, key.id, organisation_id=key.organisation_id, app_id=key.app_id, detail=detail)
