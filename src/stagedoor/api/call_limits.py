"""Limits on what one API key, or one session, may ask for at a time."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from stagedoor.api.metrics import HTTP_REQUESTS
from stagedoor.api.middleware import API_HEADERS
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import render
from stagedoor.api.session_cookie import session_cookie
from stagedoor.kernel.errors import TooMany


class CallLimitMiddleware:
    """Refuses calls of an API key that has `most` under way, so that one key cannot take the database from others.

    It stands before everything else, front routes included. The live feed has a limit of its own.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way: dict[bytes, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = _credential(scope) if scope["type"] == "http" and scope["path"].startswith(PREFIX) else None
        if caller is None or scope["path"].endswith("/events"):
            await self._app(scope, receive, send)
            return
        calls = self._under_way.get(caller, 0)
        if calls >= self._most:
            await self._refuse(scope, receive, send)
            return
        self._under_way[caller] = calls + 1
        try:
            await self._app(scope, receive, send)
        finally:
            left = self._under_way[caller] - 1
            if left:
                self._under_way[caller] = left
            else:
                del self._under_way[caller]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        HTTP_REQUESTS.labels(scope["method"], "other", 429).inc()
        problem = TooMany(
            f"This API key has {self._most} calls under way; wait for their answers.",
            code="too_many_calls",
            extra={"limit": self._most},
            headers={"Retry-After": "1"},
        )
        response = render(problem)
        response.raw_headers.extend(API_HEADERS)
        await response(scope, receive, send)


def _credential(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value
    return session_cookie(scope)
