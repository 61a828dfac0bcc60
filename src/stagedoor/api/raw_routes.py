"""Hot routes: plain ASGI endpoints with msgspec in the same app, several times cheaper than a typed route.

They state their scope and their OpenAPI operation themselves, so that the access test and the document see them like
every other route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

Endpoint = Callable[[Request], Awaitable[Response]]


class HotRoute(Route):
    """A route outside FastAPI.

    Args:
        path: The path under the application.
        endpoint: What answers.
        method: The one method.
        needed_scope: The scope that the endpoint asks for; `None` when it is public.
        public_because: Why it needs no scope.
        operation: Its OpenAPI operation; `None` keeps it out of the document.
        schemas: Components that the operation refers to.
    """

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        method: str,
        needed_scope: str | None = None,
        public_because: str | None = None,
        operation: dict[str, Any] | None = None,
        schemas: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.needed_scope = needed_scope
        self.public_because = public_because
        self.operation = operation
        self.schemas = schemas or {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's, and say which route it was, as FastAPI's routes do."""
        match, child = super().matches(scope)
        if match is Match.FULL:
            child["route"] = self
        return match, child
