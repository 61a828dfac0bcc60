"""Errors as `application/problem+json` (RFC 9457): one renderer for every route, and their documentation."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagedoor.api.route_template import route_of
from stagedoor.kernel import errors
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.kernel.wording import shortened, wording

_log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
TOO_LARGE = "The body is larger than a request may be."


class ProblemBody(BaseModel):
    """What went wrong, for a program (`code`) and for a person (`detail`)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URI for the kind of problem.", examples=["about:blank"])
    title: str = Field(description="The status in words.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    code: str = Field(description="A stable identifier of the problem.", examples=["room_not_found"])
    detail: str = Field(description="A sentence to act on.", examples=["There is no such room."])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for the statuses."""
    kinds = {problem.status: problem for problem in errors.Problem.__subclasses__()}
    return {
        status: {
            "description": kinds[status].title,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemBody"},
                    "example": kinds[status]("A sentence to act on.").document(),
                }
            },
        }
        for status in statuses
    }


def encoded(problem: Problem) -> bytes:
    """The problem document as JSON."""
    document = problem.document()
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        # A lone surrogate (`"\ud800"`) of the caller's is legal JSON and no Unicode text; it goes back as it came.
        return json.dumps(document, separators=(",", ":")).encode()


def render(problem: Problem) -> Response:
    """The answer that a problem makes."""
    return Response(
        encoded(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def install(app: FastAPI) -> None:
    """Have every error of `app` rendered here."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StorageUnavailable, _storage)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    app.add_exception_handler(Exception, _raised_by_middleware)
    app.add_middleware(UnexpectedErrorMiddleware)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class alone
    return render(error)


async def _storage(_: Request, error: Exception) -> Response:
    return storage_unavailable(error)


def storage_unavailable(error: Exception) -> Response:
    """The answer when the database did not take or give what was asked."""
    _log.warning("database_unavailable", error=str(error))
    return render(
        errors.Unavailable(
            "The database is not available now; nothing was changed. Try again shortly.",
            code="storage_unavailable",
            headers={"Retry-After": "2"},
        )
    )


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return render(errors.BadRequest("The body is not JSON.", code="not_json"))
    if any(tuple(item["loc"]) == ("body",) for item in found) and not _is_json(request):
        return render(errors.Invalid("Send the body as JSON, with Content-Type: application/json.", code="not_json"))
    items = [{"field": _field(item["loc"]), "message": wording(item)} for item in found[:20]]
    first = items[0]
    place = f"{first['field']}: " if first["field"] else ""
    return render(errors.Invalid(f"{place}{first['message']}.", code="validation_failed", extra={"errors": items}))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not kind or kind == "application/json" or kind.endswith("+json")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return render(errors.NotFound("There is nothing at this address.", code="no_route"))
        case 405:
            allowed = _allowed_methods(request)
            problem = MethodNotAllowed(
                f"{request.method} does not work here; use {allowed}.", headers=headers | {"Allow": allowed}
            )
        case 400:
            problem = errors.BadRequest("The body could not be read.", code="unreadable_body")
        case 413:
            problem = errors.TooLarge(TOO_LARGE)
        case _:
            problem = Problem("The request could not be answered.")
    return render(problem)


async def _cut_off(_: Request, __: Exception) -> Response:
    """No client is there to read it; it keeps a caller's going away out of the log of failures."""
    return render(errors.BadRequest("The body ended too early.", code="body_cut_off"))


def _allowed_methods(request: Request) -> str:
    """Every method of the address; Starlette names only those of the first route that has it."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or {"GET", "HEAD"}  # a folder of files has no methods of its own
    return ", ".join(sorted(methods))


class UnexpectedErrorMiddleware:
    """Answers 500 for whatever a route raises; the innermost, so that the answer is like every other.

    Starlette calls a handler of `Exception` outside of the middleware, where neither metrics nor headers know of the
    answer, and raises the error again: the server logs it once more and closes a connection that was to be kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except (HTTPException, Problem, StorageUnavailable):
            raise
        except Exception as error:
            if started:
                raise
            await _unexpected(scope, error)(scope, receive, send)


_FOREIGN_KEY: Final = "23503"
"""PostgreSQL's `foreign_key_violation`."""


def _is_of_something_deleted(error: Exception) -> bool:
    """Whether a foreign key refused a row: what it belongs to was read, and deleted before the row was written."""
    if not isinstance(error, IntegrityError):
        return False
    return getattr(error.orig, "sqlstate", None) == _FOREIGN_KEY or "FOREIGN KEY" in str(error.orig)


def _unexpected(scope: Scope, error: Exception) -> Response:
    if _is_of_something_deleted(error):
        gone = "What this request needs was deleted at the same time."
        return render(errors.Conflict(gone, code="deleted_meanwhile"))
    _log.error("request_failed", route=route_of(scope), exc_info=error)
    return render(Problem("Something went wrong here; the log has more."))


async def _raised_by_middleware(request: Request, error: Exception) -> Response:
    """The server closes the connection after this one, because Starlette raises the error again."""
    answer = _unexpected(request.scope, error)
    answer.headers["Connection"] = "close"
    return answer


class MethodNotAllowed(Problem):
    """405; the edge's own, because no verb ever raises it."""

    status = 405
    title = "Method not allowed"
    default_code = "method_not_allowed"


def _field(location: tuple[Any, ...]) -> str:
    # In a union pydantic adds which of its members it tried: `constrained-str`, `int`, `function-after[…]`.
    return ".".join(
        shortened(str(part))
        for part in location
        if part not in {"body", "query", "path", "header"} and not _MEMBER.fullmatch(str(part))
    )


_MEMBER = re.compile(r"str|int|float|bool|constrained-.*|[a-z-]+\[.*\]", re.DOTALL)
