"""`/health`, `/ready` and `/metrics`: for load balancers and Prometheus."""

from __future__ import annotations

import contextlib
import hmac
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from stagedoor.api.authentication import bearer, public
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import Data, ResponseModel
from stagedoor.events.metrics import FEED_CLIENTS
from stagedoor.inbox import store
from stagedoor.inbox.metrics import INBOX_OLDEST, INBOX_WAITING
from stagedoor.jobs import operator_store
from stagedoor.jobs.metrics import JOBS, JOBS_OLDEST
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Problem, StorageUnavailable, Unauthenticated, Unavailable
from stagedoor.kernel.metrics import REGISTRY
from stagedoor.outbox import fanout_store
from stagedoor.outbox.metrics import ENDPOINTS_BEHIND
from stagedoor.services.services import Services
from stagedoor.storage import Transaction


class HealthBody(ResponseModel):
    """The process answers."""

    status: Literal["alive"] = Field(description="Always alive, or there would be no answer.", examples=["alive"])


class ReadyBody(ResponseModel):
    """Everything that a request needs is there."""

    status: Literal["ready"] = Field(description="ready; when not, the answer is a 503.", examples=["ready"])
    database: Literal["ok"] = Field(description="The database reads and writes.", examples=["ok"])
    livekit: Literal["ok"] = Field(description="LiveKit answers and takes our key.", examples=["ok"])
    clock: str | None = Field(
        description="How the machine's clock was set within the last day, if it jumped.", examples=[None]
    )


async def get_health() -> Data[HealthBody]:
    """Answers as long as the process does."""
    return Data(data=HealthBody(status="alive"))


async def get_ready(services: ServicesDep) -> Data[ReadyBody]:
    """503 with the reasons while the database or LiveKit is not available."""
    reasons = await _reasons(services)
    if reasons:
        raise Unavailable(
            "Not ready: " + " ".join(reasons),
            code="not_ready",
            extra={"reasons": reasons},
            headers={"Retry-After": "2"},
        )
    jump = services.clock.recent()
    return Data(data=ReadyBody(status="ready", database="ok", livekit="ok", clock=jump and jump.sentence))


async def _reasons(services: Services) -> list[str]:
    reasons: list[str] = []
    starting = services.starting()
    if starting is not None:
        reasons.append(starting)
    try:
        await services.database.ping()
    except StorageUnavailable as error:
        reasons.append(f"The database does not work: {error}")
    try:
        await services.gateway.ping()
    except Problem as problem:
        reasons.append(problem.detail)
    jump = services.clock.recent()
    if reasons and jump is not None:  # tokens and signatures of another time are refused
        reasons.append(jump.sentence)
    return reasons


async def get_metrics(request: Request, services: ServicesDep) -> Response:
    """In Prometheus's text format."""
    token = services.settings.metrics_token
    if token is not None:
        given = bearer(request.headers.get("authorization"))
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise Unauthenticated("This is not the metrics token.", code="bad_key")
    FEED_CLIENTS.set(services.feed.clients)
    with contextlib.suppress(StorageUnavailable):  # the other metrics are needed most when the database is away
        await services.database.read(_count)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _count(tx: Transaction) -> None:
    """Read what the database knows and no counter does."""
    now = now_ms()
    for state, count in store.waiting(tx).items():
        INBOX_WAITING.labels(state).set(count)
    since = store.oldest_pending(tx)
    INBOX_OLDEST.set(0 if since is None else max(0, now - since) / 1000)
    ENDPOINTS_BEHIND.set(fanout_store.count_behind(tx))
    depths = operator_store.depths(tx)
    ages = operator_store.oldest_ready(tx, now)
    JOBS.clear()
    JOBS_OLDEST.clear()
    for kind in {kind for kind, _ in depths}:
        JOBS_OLDEST.labels(kind).set((now - ages.get(kind, now)) / 1000)
        for state in operator_store.COUNTED:
            JOBS.labels(kind, state).set(depths.get((kind, state), 0))


def router(prefix: str) -> APIRouter:
    """The routes under `prefix`; those at the root are the documented ones."""
    made = APIRouter(route_class=DeferredRoute, prefix=prefix, tags=["Operation"], include_in_schema=not prefix)
    made.get("/health", summary="Is the process alive?", openapi_extra=public("says nothing but that we run"))(
        get_health
    )
    made.get(
        "/ready",
        summary="Can requests be served?",
        openapi_extra=public("load balancers ask it"),
        responses=documented(503),
    )(get_ready)
    made.get(
        "/metrics",
        summary="Prometheus metrics",
        openapi_extra=public("names no tenant; STAGEDOOR_METRICS_TOKEN closes it"),
        response_class=Response,
        responses=documented(401)
        | {200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    )(get_metrics)
    return made
