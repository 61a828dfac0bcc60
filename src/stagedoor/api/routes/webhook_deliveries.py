"""`/webhooks/{webhook}/deliveries`: what was sent and what came back; sending again, and test messages."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import Field

from stagedoor.api.authentication import WebhooksRead, WebhooksWrite
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.routes.webhooks import WebhookRef, record
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import (
    NO_NUL,
    Data,
    Limit,
    NumberCursor,
    Page,
    ResponseModel,
    Timestamp,
    meanings,
    page,
    when,
)
from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.outbox import delivery_store, endpoints
from stagedoor.outbox.nouns import DELIVERY_STATES, OUTCOMES, AttemptResult, Delivery, DeliveryState, Outcome
from stagedoor.storage import Transaction

router = APIRouter(route_class=DeferredRoute, tags=["Webhooks"])

_OUTCOMES: Final = meanings(OUTCOMES)
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


class AttemptBody(ResponseModel):
    """One attempt to send a message, and its result."""

    at: str = Field(description="When.", examples=["2026-01-31T12:00:00.000Z"])
    duration_ms: int = Field(description="Milliseconds until the end of the answer.", examples=[37])
    outcome: Outcome = Field(description=_OUTCOMES, examples=["ok"])
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
    state: DeliveryState = Field(description=meanings(DELIVERY_STATES), examples=["delivered"])
    attempts: int = Field(description="How often it was sent.", examples=[1])
    created_at: str = Field(description="When the event was given out.", examples=["2026-01-31T12:00:00.000Z"])
    delivered_at: str | None = Field(description="When it was taken.", examples=["2026-01-31T12:00:00.000Z"])
    last_outcome: Outcome | None = Field(description=_OUTCOMES, examples=["ok"])
    last_status: int | None = Field(description="The last answer's status.", examples=[200])


class DeliveryDetail(DeliveryBody):
    """A delivery with what was sent and what came back."""

    request: str = Field(description="The body that is sent.", examples=['{"id":"evt_0000000000000007"}'])
    history: list[AttemptBody] = Field(description="Every attempt, oldest first.")


class Recovery(ResponseModel):
    """A recovery that was begun."""

    job: str = Field(description="The job that does it.", examples=["job_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])


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


def _attempt(answered: AttemptResult) -> AttemptBody:
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
        record(tx, caller, "webhook.recovered", endpoints.get(tx, caller, reference))
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

    def read(tx: Transaction) -> list[Delivery]:
        found = endpoints.get(tx, caller, reference)
        return delivery_store.list_deliveries(tx, found.id, state=state, before=cursor, limit=limit + 1)

    shown = [DeliveryBody.model_validate(_delivery_fields(one)) for one in await services.database.read(read)]
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
    found, body, history = await services.database.read(
        lambda tx: endpoints.get_delivery(tx, endpoints.get(tx, caller, reference), delivery)
    )
    more = {"request": body.decode(), "history": [_attempt(attempt.answered) for attempt in history]}
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
        record(tx, caller, "webhook.redelivered", endpoints.get(tx, caller, reference))
        return endpoints.redeliver(tx, services.queue, caller, reference, delivery)

    after = await services.database.write(again)
    return Data(data=DeliveryBody.model_validate(_delivery_fields(after)))
