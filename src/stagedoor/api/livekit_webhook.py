"""LiveKit's webhook: a hot route, outside `/api/v1`, on every path that it is known by."""

from __future__ import annotations

from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stagedoor.api.middleware import DRAINED_BYTES
from stagedoor.api.problems import documented
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.services import services_of
from stagedoor.inbox.metrics import WEBHOOKS
from stagedoor.inbox.verify import signature_header
from stagedoor.kernel.errors import BadRequest, TooLarge

FIXED_PATH = "/webhooks/livekit"


async def receive_webhook(request: Request) -> Response:
    """200 once the event is durable; 401, 400, 413 or 503 otherwise."""
    services = services_of(request)
    headers = request.headers
    authorization = signature_header(headers.getlist("authorization"))
    signature = headers.get("x-livekit-signature")
    services.receiver.precheck(authorization, signature)
    body = await _body(request, services.settings.webhook_max_bytes)
    await services.receiver.receive(body, authorization, signature)
    return Response(status_code=200)


async def _body(request: Request, limit: int) -> bytes:
    """The body. One that is too large is read on all the same, and not kept: see `stagedoor.api.middleware.drain`."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > DRAINED_BYTES:
                break
            if size <= limit:
                chunks.append(chunk)
    except ClientDisconnect:
        raise BadRequest("The body ended too early.", code="body_cut_off") from None
    if size > limit:
        raise _too_large(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    WEBHOOKS.labels("too_large").inc()
    return TooLarge(f"The body has more than {limit} bytes.", extra={"limit": limit})


def routes(configured_path: str) -> list[HotRoute]:
    """The webhook's routes."""
    paths = dict.fromkeys((FIXED_PATH, configured_path))
    return [
        HotRoute(
            path,
            receive_webhook,
            method="POST",
            public_because="LiveKit signs it",
            operation=_operation(f"receive_webhook{number or ''}"),
        )
        for number, path in enumerate(paths)
    ]


def _operation(operation_id: str) -> dict[str, Any]:
    return {
        "tags": ["LiveKit"],
        "summary": "Take one of LiveKit's webhooks",
        "description": "LiveKit signs the body with the API key that its `webhook.api_key` names. The answer is given"
        " once the event is durable; an event that is there already is answered in the same way.",
        "operationId": operation_id,
        "parameters": [
            {
                "name": "Authorization",
                "in": "header",
                "required": True,
                "description": "LiveKit's JWT, with the SHA-256 of the body in its claim `sha256`.",
                "schema": {"type": "string", "examples": ["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"]},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/webhook+json": {
                    "schema": {
                        "type": "object",
                        "description": "LiveKit's `WebhookEvent`.",
                        "examples": [{"event": "room_started", "id": "EV_eugWmGhovZmm", "createdAt": "1769860800"}],
                    }
                }
            },
        },
        "responses": {
            "200": {"description": "It is stored."},
            **{str(status): body for status, body in documented(400, 401, 413, 503).items()},
        },
    }
