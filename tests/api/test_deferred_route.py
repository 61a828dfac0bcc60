"""Routes that are made when they are first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import APIRouter, FastAPI

from stagedoor.api.deferred_route import DeferredRoute
from tests.support.product import clean_environment

ROOT: Final = Path(__file__).parents[2]

START: Final = """
import asyncio, sys
from pathlib import Path
from stagedoor.api.deferred_route import DeferredRoute
from tests.support.api_routes import application

async def main() -> None:
    async with application(Path(sys.argv[1])) as (app, _):
        routes = [route for route in app.router.routes if isinstance(route, DeferredRoute)]
        print(len(routes), sum("dependant" in vars(route) for route in routes))
        app.openapi()
        print(sum("dependant" in vars(route) for route in routes))

asyncio.run(main())
"""


def made(route: object) -> bool:
    return "dependant" in vars(route)


@pytest.fixture
def router() -> APIRouter:
    router = APIRouter(route_class=DeferredRoute, prefix="/numbers")

    @router.get("/{number}", status_code=203)
    async def show(number: int) -> int:  # pyright: ignore[reportUnusedFunction]
        return number

    @router.delete("/{number}")
    async def remove(number: int) -> int:  # pyright: ignore[reportUnusedFunction]
        return number

    return router


async def answer(app: FastAPI, method: str, path: str) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def test_a_request_makes_the_route_that_answers_it_and_no_other(router: APIRouter) -> None:
    app = FastAPI(openapi_url=None)
    app.router.routes.extend(router.routes)
    assert (await answer(app, "GET", "/elsewhere"))[0] == 404
    assert (await answer(app, "POST", "/numbers/7"))[0] == 405
    assert not any(map(made, router.routes))
    assert await answer(app, "GET", "/numbers/7") == (203, b"7")
    assert [made(route) for route in router.routes] == [True, False]
    assert (await answer(app, "GET", "/numbers/seven"))[0] == 422


def test_an_attribute_that_no_route_has_is_an_error(router: APIRouter) -> None:
    with pytest.raises(AttributeError, match="colour"):
        _ = router.routes[0].colour  # type: ignore[attr-defined]


def test_a_start_makes_none_and_the_document_makes_all(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean_environment(),
    )
    routes, at_start, with_document = map(int, done.stdout.split())
    assert routes > 50
    assert (at_start, with_document) == (0, routes)
