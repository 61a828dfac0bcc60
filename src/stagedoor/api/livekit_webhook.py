"""LiveKit's webhook: a front route, outside `/api/v1`, on every path that it is known by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from starlette.types import Receive, Scope

from stagedoor.api.bodies import read_body
from stagedoor.api.direct import Answer, DirectRoute, Headers
from stagedoor.api.front import FrontRoute, Reply
from stagedoor.api.problems import documented
from stagedoor.inbox.metrics import WEBHOOKS
from stagedoor.inbox.receive import Received, Receiver
from stagedoor.inbox.verify import signature_header
from stagedoor.kernel.errors import TooLarge

FIXED_PATH = "/webhooks/livekit"

_TAKEN: Final = Reply(200, b"", ((b"content-length", b"0"),))


class WebhookEndpoint:
    """Answers LiveKit's webhooks.

    Args:
        receiver: Where events go.
        limit: The largest body, in bytes.
    """

    def __init__(self, receiver: Receiver, limit: int) -> None:
        self._receiver = receiver
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        """200 once the event is durable; 401, 400, 413 or 503 otherwise."""
        authorization, signature = _signatures(scope["headers"])
        self._receiver.precheck(authorization, signature)
        try:
            body = await read_body(receive, self._limit)
        except TooLarge:
            WEBHOOKS.labels("too_large").inc()
            raise
        await self._receiver.receive(body, authorization, signature)
        return _TAKEN

    def take(self, headers: Headers, body: bytes, answer: Answer) -> None:
        """The same, for a request that is whole."""
        authorization, signature = _signatures(headers)
        self._receiver.precheck(authorization, signature)

        def stored(received: Received | BaseException) -> None:
            answer(received if isinstance(received, BaseException) else _TAKEN)

        self._receiver.receive_then(body, authorization, signature, stored)

    def direct(self, routes: Iterable[FrontRoute]) -> dict[bytes, DirectRoute]:
        """The webhook's routes as direct routes, by path."""
        return {route.path.encode(): DirectRoute(route, self.take, self._limit) for route in routes}


def _signatures(headers: Headers) -> tuple[str | None, str | None]:
    """The header `Authorization` that counts, and the other scheme's."""
    authorizations: list[str] = []
    signature = None
    for name, value in headers:
        if name == b"authorization":
            authorizations.append(value.decode("latin-1"))
        elif name == b"x-livekit-signature":
            signature = value.decode("latin-1")
    return signature_header(authorizations), signature


def routes(configured_path: str, endpoint: WebhookEndpoint) -> list[FrontRoute]:
    """The webhook's routes."""
    paths = dict.fromkeys((FIXED_PATH, configured_path))
    return [
        FrontRoute(
            path,
            endpoint,
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
