"""A span around every request, which goes on with the caller's trace if it names one."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagedoor.api.route_template import route_of
from stagedoor.kernel import tracing

_QUIET: Final = frozenset({"/health", "/ready", "/metrics"})
"""Requested every few seconds by machines; a trace of each would be noise."""


class TracingMiddleware:
    """Plain ASGI; added to the application only when something is traced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        method: str = scope["method"]
        with tracing.span(method, parent=_traceparent(scope), kind="server") as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route, status = route_of(scope), int(message["status"])
                    span.rename(f"{method} {route}")
                    span.note({"http.request.method": method, "http.route": route, "http.response.status_code": status})
                    if status >= 500:
                        span.failed(str(status))
                    if _is_endless(message):
                        span.end()
                await send(message)

            await self._app(scope, receive, watched)


def _traceparent(scope: Scope) -> str | None:
    given = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
    return None if given is None else given.decode("latin-1")


def _is_endless(message: Message) -> bool:
    """A live feed's answer may go on for days, and a span is sent when it ends."""
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    return any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)
