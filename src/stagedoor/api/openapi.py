"""The OpenAPI 3.1 document: FastAPI's own, the hot routes, scopes and problem answers."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from stagedoor import __version__
from stagedoor.api import examples
from stagedoor.api.authentication import SECURITY_SCHEME, SESSION_SCHEME, acts_in_room, credential_of, scope_of
from stagedoor.api.problems import ProblemBody, documented
from stagedoor.api.raw_routes import HotRoute
from stagedoor.tenancy.scopes import SCOPES

_DESCRIPTION: Final = """The control plane of a self-hosted LiveKit server.

A call carries an API key or a user's personal access token, `Authorization: Bearer sk_…` or `pat_…`, or the cookie of a
user who is signed in. A success is
`{"data": …}`, a list adds `{"page": {"next": cursor}}`, and an error is `application/problem+json` with a stable
`code`. Times are RFC 3339, UTC.
A POST with an `Idempotency-Key` may be sent again: it gets the first answer again, marked `Idempotency-Replayed: true`.
"""

_EITHER: Final[list[dict[str, list[str]]]] = [{SECURITY_SCHEME: []}, {SESSION_SCHEME: []}]
"""Callers prove themselves in one of these ways."""

_IDEMPOTENCY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again; up to 255 printable characters of your choice.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[ -~]+$",
        "examples": ["order-4711"],
    },
}


def install(app: FastAPI, prefix: str) -> None:
    """Have `app.openapi()` make the whole document, once."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(build(app, prefix))
        return made

    app.openapi = openapi


def build(app: FastAPI, prefix: str) -> dict[str, Any]:
    """The document of the application's routes."""
    document = get_openapi(
        title="Stagedoor",
        version=__version__,
        description=_DESCRIPTION,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    components = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["ProblemBody"] = ProblemBody.model_json_schema()
    scopes = "\n".join(f"- `{name}`: {meaning}" for name, meaning in SCOPES.items())
    components["securitySchemes"] = {
        SECURITY_SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": f"An API key, or a personal access token. Scopes:\n\n{scopes}",
        },
        SESSION_SCHEME: {
            "type": "apiKey",
            "in": "cookie",
            "name": "stagedoor_session",
            "description": "A user who is signed in. Under https the cookie is `__Host-stagedoor_session`. The header"
            " `Stagedoor-Organisation` names the organisation, by slug or id, of a user who belongs to several.",
        },
    }
    for route in app.routes:
        if isinstance(route, HotRoute) and route.operation is not None:
            document["paths"].setdefault(route.path, {})[route.method.lower()] = route.operation
            schemas.update(route.schemas)
    for route in app.routes:
        for operation in _operations(document, route):
            _mark(operation, route)
    for path, methods in document["paths"].items():
        post = methods.get("post")
        if post is not None and path.startswith(prefix) and not path.startswith(f"{prefix}/auth/"):
            post.setdefault("parameters", []).append(_IDEMPOTENCY)
            for status in (400, 409, 422):
                post["responses"].setdefault(str(status), documented(status)[status])
    examples.complete(schemas)
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _operations(document: dict[str, Any], route: BaseRoute) -> list[dict[str, Any]]:
    path = getattr(route, "path_format", None) or getattr(route, "path", "")
    methods: dict[str, Any] = document["paths"].get(path, {})
    if isinstance(route, HotRoute):
        return [methods[route.method.lower()]] if route.method.lower() in methods else []
    if isinstance(route, APIRoute):
        return [methods[method.lower()] for method in route.methods or () if method.lower() in methods]
    return []


def _mark(operation: dict[str, Any], route: BaseRoute) -> None:
    scope, credential = scope_of(route), credential_of(route)
    if credential is not None:
        operation["security"] = [{SESSION_SCHEME: []}] if credential == "user" else _EITHER
        operation["x-caller"] = credential
        note = "Caller: a user who is signed in." if credential == "user" else "Caller: any with a credential."
        operation["description"] = f"{operation.get('description', '')}\n\n{note}".strip()
        return
    if scope is None:
        operation["security"] = []
        if isinstance(route, HotRoute):
            operation["x-access"] = f"public: {route.public_because}"
        return
    operation["security"] = _EITHER
    operation["x-scope"] = scope
    note = f"Scope: `{scope}`"
    if acts_in_room(route):
        note += "; a user who is signed in needs the action alone, by the role in the room"
    operation["description"] = f"{operation.get('description', '')}\n\n{note}.".strip()
