"""The name of a request's route in metrics, spans and logs."""

from __future__ import annotations

from typing import Any

from starlette.types import Scope


def route_of(scope: Scope) -> str:
    """The route's template: it does not grow with what callers send, and has no key or session of a path in it."""
    route: Any = scope.get("route")
    path = getattr(route, "path", None) if route is not None else None
    return path if isinstance(path, str) else "other"
