"""`/webhooks` and `/apps/{app}/webhooks`: where events are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from stagedoor.api.access import WebhooksRead, WebhooksWrite
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import Services, ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    AppRef,
    Cursor,
    Data,
    Limit,
    NumberCursor,
    Page,
    RequestModel,
    ResponseModel,
    Text,
    Timestamp,
    page,
    when,
)
from stagedoor.audit import store as trail
from stagedoor.events.catalogue import CATALOGUE
from stagedoor.kernel.clock import from_rfc3339, now_ms, rfc3339
from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.errors import Forbidden, Invalid
from stagedoor.outbox import endpoints, store
from stagedoor.outbox.nouns import DELIVERY_STATES, OUTCOMES, Answered, Delivery, Endpoint
from stagedoor.outbox.targets import LONGEST_URL, check_url
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.principals import Principal

router = APIRouter(tags=["Webhooks"])

_LONGEST_OVERLAP = 30 * 86_400
_URL = "https://backend.example.com/hooks"
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
DeliveryRef = Annotated[
    str,
    Path(
        alias="delivery",
        max_length=64,
        pattern=NO_NUL,
        description="The delivery's id.",
        examples=["dlv_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]
DeliveryState = Literal["pending", "delivered", "dead"]
OutcomeField = Literal["ok", "status", "dns", "connection", "tls", "timeout", "refused_target"]
_STATES = " ".join(f"`{name}`: {meaning}" for name, meaning in DELIVERY_STATES.items())
_OUTCOMES = " ".join(f"`{name}`: {meaning}" for name, meaning in OUTCOMES.items())
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
    url: str = Field(description="Where to.", examples=[_URL])
    types: list[str] = Field(description=_TYPES, examples=[["session.ended"]])
    description: str = Field(description="What it is for.", examples=["billing"])
    enabled: bool = Field(description="Whether events are sent.", examples=[True])
    ordered: bool = Field(description="Whether a session's events are sent one after the other.", examples=[False])
    disabled_reason: str | None = Field(
        description="Why it was disabled, if not by a caller.", examples=["It answered 410 Gone."]
    )
    failing_since: str | None = Field(
        description="When the first of the attempts failed that have failed without a success in between.",
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
        description="What messages are signed with. It can't be had again.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="],
    )


class NewWebhook(RequestModel):
    """An endpoint to send events to."""

    url: Text = Field(min_length=1, max_length=LONGEST_URL, description="Where to; https.", examples=[_URL])
    types: list[Text] = Field(default=[], max_length=100, description=_TYPES, examples=[["session.ended"]])
    description: Text = Field(default="", max_length=500, description="What it is for.", examples=["billing"])
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
        default=None, min_length=1, max_length=LONGEST_URL, description="Where to; https.", examples=[_URL]
    )
    types: list[Text] | None = Field(default=None, max_length=100, description=_TYPES, examples=[["session.ended"]])
    description: Text | None = Field(default=None, max_length=500, description="What it is for.", examples=["billing"])
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


class AttemptBody(ResponseModel):
    """What came of sending a message once."""

    at: str = Field(description="When.", examples=["2026-01-31T12:00:00.000Z"])
    duration_ms: int = Field(description="Milliseconds until the end of the answer.", examples=[37])
    outcome: OutcomeField = Field(description=_OUTCOMES, examples=["ok"])
    detail: str = Field(description="The same for a person.", examples=["Delivered."])
    request_headers: dict[str, str] = Field(
        description="As they were sent.", examples=[{"webhook-id": "evt_0000000000000007"}]
    )
    status: int | None = Field(description="The answer's status; null without an answer.", examples=[200])
    response_headers: dict[str, str] | None = Field(
        description="The answer's headers.", examples=[{"Content-Type": "text/plain"}]
    )
    response_body: str | None = Field(
        description="The beginning of the answer: 2,048 bytes at the most.", examples=["ok"]
    )


class DeliveryBody(ResponseModel):
    """One event for one endpoint."""

    seq: int = Field(description="The event's place in the order of events.", examples=[7])
    id: str = Field(description="Identifier.", examples=["dlv_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    webhook: str = Field(description="The endpoint's id.", examples=["whe_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    message_id: str = Field(
        description="`webhook-id`, the same whenever this event is sent.", examples=["evt_0000000000000007"]
    )
    type: str = Field(description="The event's type.", examples=["session.ended"])
    session_id: str | None = Field(
        description="The event's session, if it has one.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]
    )
    state: DeliveryState = Field(description=_STATES, examples=["delivered"])
    attempts: int = Field(description="How often it was sent.", examples=[1])
    created_at: str = Field(description="When the event was given out.", examples=["2026-01-31T12:00:00.000Z"])
    delivered_at: str | None = Field(description="When it was taken.", examples=["2026-01-31T12:00:00.000Z"])
    last_outcome: OutcomeField | None = Field(description=_OUTCOMES, examples=["ok"])
    last_status: int | None = Field(description="The last answer's status.", examples=[200])


class DeliveryDetail(DeliveryBody):
    """A delivery with what was sent and what came back."""

    request: str = Field(description="The body that is sent.", examples=['{"id":"evt_0000000000000007"}'])
    history: list[AttemptBody] = Field(description="Every attempt, oldest first.")


class Recovery(ResponseModel):
    """A recovery that was begun."""

    job: str = Field(description="The job that does it.", examples=["job_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])


def _fields(endpoint: Endpoint) -> dict[str, Any]:
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
        "old_secret_until": when(old if old is not None and old > now_ms() else None),
        "created_at": rfc3339(endpoint.created_at),
        "updated_at": rfc3339(endpoint.updated_at),
    }


def _body(endpoint: Endpoint) -> WebhookBody:
    return WebhookBody.model_validate(_fields(endpoint))


def _new_body(made: tuple[Endpoint, str]) -> Data[NewWebhookBody]:
    return Data(data=NewWebhookBody.model_validate(_fields(made[0]) | {"secret": made[1]}))


def _delivery_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "seq": delivery.event_seq,
        "id": delivery.id,
        "webhook": delivery.endpoint_id,
        "message_id": delivery.message_id,
        "type": delivery.type,
        "session_id": delivery.session_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created_at": rfc3339(delivery.created_at),
        "delivered_at": when(delivery.delivered_at),
        "last_outcome": delivery.last_outcome,
        "last_status": delivery.last_status,
    }


def _attempt(answered: Answered) -> AttemptBody:
    return AttemptBody(
        at=rfc3339(answered.at),
        duration_ms=answered.duration_ms,
        outcome=answered.outcome,
        detail=answered.detail,
        request_headers=answered.request_headers,
        status=answered.status,
        response_headers=answered.response_headers,
        response_body=answered.response_body,
    )


def _url(services: Services, url: str) -> str:
    return check_url(url, allow_private=services.settings.webhook_allow_private_targets)


@router.post(
    f"{PREFIX}/apps/{{app}}/webhooks",
    status_code=201,
    summary="Create a webhook of an app",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_app_webhook(
    services: ServicesDep, caller: WebhooksWrite, app: AppRef, ask: NewWebhook
) -> Data[NewWebhookBody]:
    """It gets the app's events from now on. The secret is shown this once."""
    url = _url(services, ask.url)

    def make(tx: Transaction) -> tuple[Endpoint, str]:
        found = apps.get(tx, caller, app)
        made = endpoints.create(
            tx,
            services.sealer,
            found.organisation_id,
            found,
            url=url,
            types=ask.types,
            description=ask.description,
            enabled=ask.enabled,
            ordered=ask.ordered,
        )
        _note(tx, caller, "webhook.created", made[0])
        return made

    return _new_body(await services.database.write(make))


@router.get(
    f"{PREFIX}/apps/{{app}}/webhooks",
    summary="List an app's webhooks",
    responses=documented(401, 403, 404, 422, 503),
)
async def list_app_webhooks(
    services: ServicesDep, caller: WebhooksRead, app: AppRef, cursor: Cursor = None, limit: Limit = 50
) -> Page[WebhookBody]:
    """Those that get this app's events alone; the organisation's own are under `/webhooks`."""

    def look(tx: Transaction) -> list[Endpoint]:
        found = apps.get(tx, caller, app)
        return store.list_endpoints(tx, caller, organisation_id=None, app_id=found.id, after=cursor, limit=limit + 1)

    return page([_body(one) for one in await services.database.read(look)], limit, lambda item: item.id)


@router.post(
    f"{PREFIX}/webhooks",
    status_code=201,
    summary="Create a webhook of an organisation",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def create_webhook(
    services: ServicesDep, caller: WebhooksWrite, ask: NewOrganisationWebhook
) -> Data[NewWebhookBody]:
    """It gets the events of every app of the organisation from now on. The secret is shown this once."""
    url = _url(services, ask.url)
    if caller.app_id is not None:
        raise Forbidden("This key is bound to an app; create the app's own webhook.", code="organisation_key_required")

    def make(tx: Transaction) -> tuple[Endpoint, str]:
        made = endpoints.create(
            tx,
            services.sealer,
            _organisation(tx, caller, ask.organisation),
            None,
            url=url,
            types=ask.types,
            description=ask.description,
            enabled=ask.enabled,
            ordered=ask.ordered,
        )
        _note(tx, caller, "webhook.created", made[0])
        return made

    return _new_body(await services.database.write(make))


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

    def look(tx: Transaction) -> list[Endpoint]:
        wanted = None if organisation is None else organisations.get(tx, caller, organisation).id
        return store.list_endpoints(tx, caller, organisation_id=wanted, app_id=None, after=cursor, limit=limit + 1)

    return page([_body(one) for one in await services.database.read(look)], limit, lambda item: item.id)


@router.get(f"{PREFIX}/webhooks/{{webhook}}", summary="Get a webhook", responses=documented(401, 403, 404, 422, 503))
async def get_webhook(services: ServicesDep, caller: WebhooksRead, reference: WebhookRef) -> Data[WebhookBody]:
    """Without its secret."""
    return Data(data=_body(await services.database.read(lambda tx: endpoints.get(tx, caller, reference))))


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

    def change(tx: Transaction) -> Endpoint:
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
        _note(tx, caller, "webhook.changed", after, {"changed": sorted(ask.model_fields_set)})
        return after

    return Data(data=_body(await services.database.write(change)))


@router.delete(
    f"{PREFIX}/webhooks/{{webhook}}",
    status_code=204,
    summary="Delete a webhook",
    responses=documented(401, 403, 404, 422, 503),
)
async def delete_webhook(services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef) -> Response:
    """With its deliveries."""

    def drop(tx: Transaction) -> None:
        _note(tx, caller, "webhook.deleted", endpoints.delete(tx, caller, reference))

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

    def rotate(tx: Transaction) -> tuple[Endpoint, str]:
        rotated = endpoints.rotate(tx, services.sealer, caller, reference, overlap)
        _note(tx, caller, "webhook.rotated", rotated[0])
        return rotated

    return _new_body(await services.database.write(rotate))


@router.post(
    f"{PREFIX}/webhooks/{{webhook}}/test",
    summary="Send a test message",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def test_webhook(services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef) -> Data[AttemptBody]:
    """Sends a message of the type `webhook.test` at once, and once, and says what came of it: whether the name, the
    connection, TLS, the time or the answer's status was wrong. A key may have two under way."""
    endpoint = await services.database.read(lambda tx: endpoints.get(tx, caller, reference))
    return Data(data=_attempt(await services.tester.send(caller, endpoint)))


@router.post(
    f"{PREFIX}/webhooks/{{webhook}}/recover",
    status_code=202,
    summary="Send again what was not delivered",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def recover_webhook(
    services: ServicesDep,
    caller: WebhooksWrite,
    reference: WebhookRef,
    since: Annotated[Timestamp, Query(description="Events from then on.", examples=["2026-01-31T00:00:00Z"])],
) -> Data[Recovery]:
    """Every event since then that the endpoint wants and has not taken, also of before it was made. Each keeps its
    message id."""

    def recover(tx: Transaction) -> str:
        _note(tx, caller, "webhook.recovered", endpoints.get(tx, caller, reference))
        return endpoints.recover(tx, services.queue, caller, reference, from_rfc3339(since))

    job = await services.database.write(recover)
    return Data(data=Recovery(job=job))


@router.get(
    f"{PREFIX}/webhooks/{{webhook}}/deliveries",
    summary="List deliveries",
    responses=documented(401, 403, 404, 422, 503),
)
async def list_deliveries(
    services: ServicesDep,
    caller: WebhooksRead,
    reference: WebhookRef,
    state: Annotated[DeliveryState | None, Query(description="Only those of this state.", examples=["dead"])] = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[DeliveryBody]:
    """The newest event first, without bodies and attempts."""

    def look(tx: Transaction) -> list[Delivery]:
        found = endpoints.get(tx, caller, reference)
        return store.list_deliveries(tx, found.id, state=state, before=cursor, limit=limit + 1)

    shown = [DeliveryBody.model_validate(_delivery_fields(one)) for one in await services.database.read(look)]
    return page(shown, limit, lambda item: str(item.seq))


@router.get(
    f"{PREFIX}/webhooks/{{webhook}}/deliveries/{{delivery}}",
    summary="Get a delivery",
    responses=documented(401, 403, 404, 422, 503),
)
async def get_delivery(
    services: ServicesDep, caller: WebhooksRead, reference: WebhookRef, delivery: DeliveryRef
) -> Data[DeliveryDetail]:
    """With what was sent, and every attempt with what came back."""
    found, history = await services.database.read(
        lambda tx: endpoints.get_delivery(tx, endpoints.get(tx, caller, reference), delivery)
    )
    more = {"request": found.body.decode(), "history": [_attempt(attempt.answered) for attempt in history]}
    return Data(data=DeliveryDetail.model_validate(_delivery_fields(found) | more))


@router.post(
    f"{PREFIX}/webhooks/{{webhook}}/deliveries/{{delivery}}/redeliver",
    status_code=202,
    summary="Send a message again",
    responses=documented(400, 401, 403, 404, 409, 413, 422, 503),
)
async def redeliver(
    services: ServicesDep, caller: WebhooksWrite, reference: WebhookRef, delivery: DeliveryRef
) -> Data[DeliveryBody]:
    """Under its own id, with all its attempts."""

    def again(tx: Transaction) -> Delivery:
        _note(tx, caller, "webhook.redelivered", endpoints.get(tx, caller, reference))
        return endpoints.redeliver(tx, services.queue, caller, reference, delivery)

    after = await services.database.write(again)
    return Data(data=DeliveryBody.model_validate(_delivery_fields(after)))


def _note(
    tx: Transaction, caller: Principal, action: str, endpoint: Endpoint, more: Mapping[str, Any] | None = None
) -> None:
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
