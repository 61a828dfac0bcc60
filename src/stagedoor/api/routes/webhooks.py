"""`/webhooks` and `/apps/{app}/webhooks`: the endpoints that events are sent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from stagedoor.api.authentication import WebhooksRead, WebhooksWrite
from stagedoor.api.deferred_route import DeferredRoute
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
    Text,
    page,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.events.catalogue import CATALOGUE
from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import Forbidden, Invalid
from stagedoor.outbox import endpoint_store, endpoints
from stagedoor.outbox.nouns import Backlog, Endpoint
from stagedoor.outbox.targets import LONGEST_URL, check_url
from stagedoor.services.services import Services
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal

router = APIRouter(route_class=DeferredRoute, tags=["Webhooks"])

_LONGEST_OVERLAP: Final = 30 * 86_400
_URL: Final = "https://backend.example.com/hooks"
WebhookRef = Annotated[
    str,
    Path(
        alias="webhook",
        max_length=64,
        pattern=NO_NUL,
        description="The endpoint's id.",
        examples=["whe_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]
_TYPES = (
    "The types of events that it gets; all of them if empty. `session.*` stands for every type that begins so."
    f" Types: {', '.join(CATALOGUE)}."
)


class WebhookBody(ResponseModel):
    """Where events are sent to, without the secret."""

    id: str = Field(description="Identifier.", examples=["whe_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    organisation: str = Field(description="Id of its organisation.", examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str | None = Field(
        description="Id of the only app whose events it gets; null for every app of the organisation.",
        examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )
    url: str = Field(description="Its address.", examples=[_URL])
    types: list[str] = Field(description=_TYPES, examples=[["session.ended"]])
    description: str = Field(description="Purpose of the webhook.", examples=["billing"])
    enabled: bool = Field(description="Whether events are sent.", examples=[True])
    ordered: bool = Field(description="Whether a session's events are sent one after the other.", examples=[False])
    disabled_reason: str | None = Field(
        description="Why it was disabled, if not by a caller.", examples=["It answered 410 Gone."]
    )
    failing_since: str | None = Field(
        description="When the first of the attempts failed that have failed without a success in between.",
        examples=["2026-01-31T12:00:00.000Z"],
    )
    pending: int = Field(description="Deliveries that wait to be taken.", examples=[0])
    behind_since: str | None = Field(
        description="Since when its events wait to be given out, because as many deliveries wait as may; none is lost.",
        examples=["2026-01-31T12:00:00.000Z"],
    )
    old_secret_until: str | None = Field(
        description="Until when messages are signed with the secret before the last rotation too.",
        examples=["2026-01-31T12:00:00.000Z"],
    )
    created_at: str = Field(description="When it was created.", examples=["2026-01-31T12:00:00.000Z"])
    updated_at: str = Field(description="When it was last changed.", examples=["2026-01-31T12:00:00.000Z"])


class NewWebhookBody(WebhookBody):
    """With the secret, which is shown this once."""

    secret: str = Field(
        description="What messages are signed with. It cannot be shown again.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="],
    )


class NewWebhook(RequestModel):
    """An endpoint to send events to."""

    url: Text = Field(min_length=1, max_length=LONGEST_URL, description="Its address; https.", examples=[_URL])
    types: list[Text] = Field(default=[], max_length=100, description=_TYPES, examples=[["session.ended"]])
    description: Text = Field(default="", max_length=500, description="Purpose of the webhook.", examples=["billing"])
    enabled: bool = Field(default=True, description="Whether events are sent.", examples=[True])
    ordered: bool = Field(
        default=False,
        description="Whether a session's events are sent one after the other; one that fails holds the others up.",
        examples=[False],
    )


class NewOrganisationWebhook(NewWebhook):
    """An endpoint for the events of every app of an organisation."""

    organisation: Text | None = Field(
        default=None,
        max_length=64,
        description="The organisation (slug or id); the caller's own if not given.",
        examples=["default"],
    )


class WebhookChange(RequestModel):
    """What to change; what is left out stays."""

    url: Text | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_URL,
        description="Its address; https.",
        examples=[_URL],
    )
    types: list[Text] | None = Field(default=None, max_length=100, description=_TYPES, examples=[["session.ended"]])
    description: Text | None = Field(
        default=None, max_length=500, description="Purpose of the webhook.", examples=["billing"]
    )
    enabled: bool | None = Field(
        default=None,
        description="Whether events are sent. What happens while they are not is not sent later by itself.",
        examples=[True],
    )
    ordered: bool | None = Field(
        default=None, description="Whether a session's events are sent one after the other.", examples=[False]
    )


class Rotation(RequestModel):
    """How to change the secret."""

    overlap: Text | int = Field(
        default="24h",
        description="How long messages are signed with the old secret too: 90s, 10m, 24h, 2d, or seconds; 0 ends it at"
        " once.",
        examples=["24h"],
    )


def _fields(endpoint: Endpoint, backlog: Backlog) -> dict[str, Any]:
    old = endpoint.old_secret_until
    return {
        "id": endpoint.id,
        "organisation": endpoint.organisation_id,
        "app": endpoint.app_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "ordered": endpoint.ordered,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": when(endpoint.failing_since),
        "pending": backlog.pending,
        "behind_since": when(backlog.behind_since),
        "old_secret_until": when(old if old is not None and old > now_ms() else None),
        "created_at": rfc3339(endpoint.created_at),
        "updated_at": rfc3339(endpoint.updated_at),
    }


def _bodies(tx: Transaction, found: Sequence[Endpoint]) -> list[WebhookBody]:
    backlogs = endpoints.backlogs(tx, found)
    return [WebhookBody.model_validate(_fields(endpoint, backlogs[endpoint.id])) for endpoint in found]


def _new_body(tx: Transaction, endpoint: Endpoint, secret: str) -> Data[NewWebhookBody]:
    backlog = endpoints.backlogs(tx, [endpoint])[endpoint.id]
    return Data(data=NewWebhookBody.model_validate(_fields(endpoint, backlog) | {"secret": secret}))


def _url(services: Services, url: str) -> str:
    return check_url(url, allow_private=services.settings.webhook_allow_private_targets)


@router.post(
    f"{PREFIX}/apps/{{app}}/webhooks",
    status_code=201,
    summary="Create a webhook of an app",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_app_webhook(
    services: ServicesDep, caller: WebhooksWrite, app: AppRef, body: NewWebhook
) -> Data[NewWebhookBody]:
    """Have an endpoint get the app's events from now on. The secret is shown this once."""

    def owner(tx: Transaction) -> tuple[str, App | None]:
        found = apps.get(tx, caller, app)
        return found.organisation_id, found

    return await _create(services, caller, body, owner)


@router.get(
    f"{PREFIX}/apps/{{app}}/webhooks",
    summary="List an app's webhooks",
    responses=documented(401, 403, 404, 422, 503),
)
async def list_app_webhooks(
    services: ServicesDep, caller: WebhooksRead, app: AppRef, cursor: Cursor = None, limit: Limit = 50
) -> Page[WebhookBody]:
    """Those that get this app's events alone; the organisation's own are under `/webhooks`."""

    def read(tx: Transaction) -> list[WebhookBody]:
        of = apps.get(tx, caller, app).id
        found = endpoint_store.list_endpoints(
            tx, caller, organisation_id=None, app_id=of, after=cursor, limit=limit + 1
        )
        return _bodies(tx, found)

    return page(await services.database.read(read), limit, lambda item: item.id)


@router.post(
    f"{PREFIX}/webhooks",
    status_code=201,
    summary="Create a webhook of an organisation",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_webhook(
    services: ServicesDep, caller: WebhooksWrite, body: NewOrganisationWebhook
) -> Data[NewWebhookBody]:
    """Have an endpoint get the events of every app of the organisation from now on. The secret is shown this once."""
    if caller.app_id is not None:
        raise Forbidden("This key is bound to an app; create the app's own webhook.", code="organisation_key_required")
    return await _create(services, caller, body, lambda tx: (_organisation(tx, caller, body.organisation), None))


async def _create(
    services: Services,
    caller: Principal,
    body: NewWebhook,
    owner: Callable[[Transaction], tuple[str, App | None]],
) -> Data[NewWebhookBody]:
    """Create an endpoint of what `owner` finds: an organisation's id, and the only app whose events it gets."""
    url = _url(services, body.url)

    def make(tx: Transaction) -> Data[NewWebhookBody]:
        organisation_id, app = owner(tx)
        made, secret = endpoints.create(
            tx,
            services.sealer,
            organisation_id,
            app,
            url=url,
            types=body.types,
            description=body.description,
            enabled=body.enabled,
            ordered=body.ordered,
        )
        record(tx, caller, "webhook.created", made)
        return _new_body(tx, made, secret)

    return await services.database.write(make)


def _organisation(tx: Transaction, caller: Principal, reference: str | None) -> str:
    if reference is not None:
        return organisations.get(tx, caller, reference).id
    if caller.organisation_id is None:
        raise Invalid("Say which organisation the webhook is for.", code="organisation_required")
    return caller.organisation_id


@router.get(f"{PREFIX}/webhooks", summary="List webhooks", responses=documented(401, 403, 404, 422, 503))
async def list_webhooks(
    services: ServicesDep,
    caller: WebhooksRead,
    organisation: Annotated[
        str | None,
        Query(
            max_length=64, pattern=NO_NUL, description="Only this organisation's, by slug or id.", examples=["default"]
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[WebhookBody]:
    """Every one that the caller may see, of organisations and of apps."""

    def read(tx: Transaction) -> list[WebhookBody]:
        wanted = None if organisation is None else organisations.get(tx, caller, organisation).id
        found = endpoint_store.list_endpoints(
            tx, caller, organisation_id=wanted, app_id=None, after=cursor, limit=limit + 1
        )
        return _bodies(tx, found)

    return page(await services.database.read(read), limit, lambda item: item.id)


@router.get(f"{PREFIX}/webhooks/{{webhook}}", summary="Get a webhook", responses=documented(401, 403, 404, 422, 503))
async def get_webhook(services: ServicesDep, caller: WebhooksRead, reference: WebhookRef) -> Data[WebhookBody]:
    """Without its secret."""

    def read(tx: Transaction) -> WebhookBody:
        return _bodies(tx, [endpoints.get(tx, caller, reference)])[0]

    return Data(data=await services.database.read(read))


@router.patch(
    f"{PREFIX}/webhooks/{{webhook}}",
    summary="Change a webhook",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def change_webhook(
    services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef, ask: WebhookChange
) -> Data[WebhookBody]:
    """What happened while it was disabled is not sent by itself: `recover` does that."""
    url = None if ask.url is None else _url(services, ask.url)

    def change(tx: Transaction) -> WebhookBody:
        after = endpoints.change(
            tx,
            caller,
            reference,
            url=url,
            types=ask.types,
            description=ask.description,
            enabled=ask.enabled,
            ordered=ask.ordered,
        )
        record(tx, caller, "webhook.changed", after, {"changed": sorted(ask.model_fields_set)})
        return _bodies(tx, [after])[0]

    return Data(data=await services.database.write(change))


@router.delete(
    f"{PREFIX}/webhooks/{{webhook}}",
    status_code=204,
    summary="Delete a webhook",
    responses=documented(401, 403, 404, 422, 503),
)
async def delete_webhook(services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef) -> Response:
    """With its deliveries."""

    def drop(tx: Transaction) -> None:
        record(tx, caller, "webhook.deleted", endpoints.delete(tx, caller, reference))

    await services.database.write(drop)
    return Response(status_code=204)


@router.post(
    f"{PREFIX}/webhooks/{{webhook}}/rotate",
    summary="Change a webhook's secret",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def rotate_webhook(
    services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef, ask: Rotation | None = None
) -> Data[NewWebhookBody]:
    """Messages carry signatures of both secrets until the overlap is over. The new secret is shown this once."""
    try:
        wish = (ask or Rotation()).overlap
        overlap = 0 if wish in {0, "0", "0s"} else parse_duration(wish)
    except ValueError as error:
        raise Invalid(f"overlap: {error}.", code="bad_duration") from None
    if overlap > _LONGEST_OVERLAP:
        raise Invalid("overlap: 30 days at the most.", code="bad_duration", extra={"limit": _LONGEST_OVERLAP})

    def rotate(tx: Transaction) -> Data[NewWebhookBody]:
        rotated, secret = endpoints.rotate(tx, services.sealer, caller, reference, overlap)
        record(tx, caller, "webhook.rotated", rotated)
        return _new_body(tx, rotated, secret)

    return await services.database.write(rotate)


def record(
    tx: Transaction, caller: Principal, action: str, endpoint: Endpoint, more: Mapping[str, Any] | None = None
) -> None:
    """Record in the audit trail what was done to an endpoint."""
    trail.note(
        tx,
        caller,
        action,
        endpoint.id,
        organisation_id=endpoint.organisation_id,
        app_id=endpoint.app_id,
        # The rest of a URL may hold a secret.
        detail={"host": urlsplit(endpoint.url).hostname, **(more or {})},
    )
