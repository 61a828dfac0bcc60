"""LiveKit's webhook: a hot route, outside `/api/v1`, on every path that it is known by."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stagedoor.api.hot import HotRoute
from stagedoor.api.middleware import DRAINED_BYTES
from stagedoor.api.services import services
from stagedoor.kernel.errors import BadRequest, TooLarge
from stagedoor.kernel.metrics import WEBHOOKS

FIXED_PATH = "/webhooks/livekit"


async def receive_webhook(request: Request) -> Response:
    """200 once the event is durable; 401, 400, 413 or 503 otherwise."""
    parts = services(request)
    headers = request.headers
    authorization, signature = headers.get("authorization"), headers.get("x-livekit-signature")
    parts.receiver.precheck(authorization, signature)
    body = await _body(request, parts.settings.webhook_max_bytes)
    await parts.receiver.receive(body, authorization, signature)
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
    return [HotRoute(path, receive_webhook, method="POST", public_because="LiveKit signs it") for path in paths]
