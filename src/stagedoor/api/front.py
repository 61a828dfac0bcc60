"""Routes that are answered in front of the framework, because they are called far more often than all others.

On the way to a route of the framework a request passes six layers of middleware, two handlers of exceptions and a
router that tries one regular expression after the other: 60 of the 115 µs that a webhook cost. A front route is found
by its path and brings its own bounds; what the layers do for all routes (metrics, headers, rendering of errors, spans)
is done here for it. It stays a route of the framework as well, for what needs a layer (such as `Idempotency-Key`), for
requests with another method, and for the access test and the OpenAPI document.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import FastAPI
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stagedoor.api.metrics import HTTP_REQUESTS, HTTP_SECONDS
from stagedoor.api.middleware import headers_for
from stagedoor.api.problems import render, storage_unavailable
from stagedoor.api.raw_routes import HotRoute
from stagedoor.api.tracing import TracingMiddleware
from stagedoor.kernel import tracing
from stagedoor.kernel.errors import Problem, StorageUnavailable

if TYPE_CHECKING:
    from stagedoor.api.direct import DirectRoute

_log = structlog.get_logger()

_IDEMPOTENCY_KEY: Final = b"idempotency-key"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, body and headers, `content-length` included."""

    status: int
    body: bytes | memoryview
    headers: Sequence[tuple[bytes, bytes]]


def json_reply(status: int, body: bytes) -> Reply:
    """An answer in JSON."""
    return Reply(status, body, ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))))


Answer = Callable[[Scope, Receive], Awaitable[Reply]]


class FrontRoute(HotRoute):
    """A route that is answered in front of the framework.

    Args:
        path: The path under the application; a parameter is a whole segment.
        answer: Makes the answer; what it raises is rendered as for every other route.
        options: As those of `HotRoute`.
    """

    def __init__(self, path: str, answer: Answer, **options: Any) -> None:
        super().__init__(path, self._in_framework, **options)
        self.answer = answer
        self.common_headers = headers_for(path)
        self._seconds = HTTP_SECONDS.labels(path)
        self._counters: dict[int, Counter] = {}

    async def _in_framework(self, request: Request) -> Response:
        reply = await self.answer(request.scope, request.receive)
        response = Response(reply.body, reply.status)
        response.raw_headers = list(reply.headers)
        return response

    def count(self, status: int, seconds: float) -> None:
        """Count an answer, as the middleware does for other routes."""
        counter = self._counters.get(status)
        if counter is None:
            counter = self._counters[status] = HTTP_REQUESTS.labels(self.method, self.path, status)
        counter.inc()
        self._seconds.observe(seconds)


class FrontedApp(FastAPI):
    """The framework's application with front routes before it; `front` is set once its routes are known."""

    front: Front | None = None
    direct: Mapping[bytes, DirectRoute] = MappingProxyType({})
    """By path: front routes that a connection of this process may give whole requests to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.front is not None and scope["type"] == "http" and (route := self.front.find(scope)) is not None:
            scope["route"] = route
            await self.front.answer(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Front:
    """Finds front routes and answers on them."""

    def __init__(self, routes: Sequence[FrontRoute]) -> None:
        self._exact = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._with_parameters: dict[int, list[_Pattern]] = {}
        for route in routes:
            if "{" in route.path:
                pattern = _Pattern(route)
                self._with_parameters.setdefault(pattern.length, []).append(pattern)
        self.answer: ASGIApp = TracingMiddleware(self._answer) if tracing.enabled() else self._answer

    def find(self, scope: Scope) -> FrontRoute | None:
        """The front route of a request; `None` when the framework has to answer."""
        path: str = scope["path"]
        route = self._exact.get((scope["method"], path))
        if route is not None:
            return route
        segments = path.split("/")
        for pattern in self._with_parameters.get(len(segments), ()):
            values = pattern.match(segments)
            if values is not None and scope["method"] == pattern.route.method:
                if any(name == _IDEMPOTENCY_KEY for name, _ in scope["headers"]):
                    return None
                if b"%2f" in (scope.get("raw_path") or b"").lower():
                    return None  # a slash in a parameter is the framework's matter
                scope["path_params"] = values
                return pattern.route
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        route: FrontRoute = scope["route"]
        try:
            reply = await route.answer(scope, receive)
        except Exception as error:  # noqa: BLE001 - as the framework's handlers, which render whatever was raised
            reply = failed(error, route.path)
        route.count(reply.status, time.perf_counter() - began)
        headers = [*reply.headers, *route.common_headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


class _Pattern:
    """The path of a route with parameters, each of which is a whole segment.

    Attributes:
        length: How many segments it has.
    """

    def __init__(self, route: FrontRoute) -> None:
        self.route = route
        segments = route.path.split("/")
        self.length = len(segments)
        self._names = [(at, segment[1:-1]) for at, segment in enumerate(segments) if segment.startswith("{")]
        self._fixed = [(at, segment) for at, segment in enumerate(segments) if not segment.startswith("{")]

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The parameters in so many segments; `None` when it is another path."""
        for at, fixed in self._fixed:
            if segments[at] != fixed:
                return None
        values = {name: segments[at] for at, name in self._names}
        return values if all(values.values()) else None


def failed(error: BaseException, route: str) -> Reply:
    """The answer that an error makes."""
    if isinstance(error, Problem):
        response = render(error)
    elif isinstance(error, StorageUnavailable):
        response = storage_unavailable(error)
    else:
        _log.error("request_failed", route=route, exc_info=error)
        response = render(Problem("Something went wrong here; the log has more."))
    return Reply(response.status_code, bytes(response.body), response.raw_headers)
