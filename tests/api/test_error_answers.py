"""What callers get, and what stays as it was, when a request is wrong in a large way or Stagedoor itself is."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from stagedoor.api.wire import MOST_ENTRIES, MOST_UNKNOWN_FIELDS
from stagedoor.kernel.errors import TooMany
from stagedoor.kernel.wording import LONGEST_NAME
from stagedoor.tenancy.store import app_by_slug
from tests.api.conftest import Here
from tests.app.test_http_bounds import connected
from tests.support.product import Api, eventually


async def test_after_an_unforeseen_error_the_connection_goes_on(
    here: Here, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("unforeseen")

    async with connected(int(here.url.rpartition(":")[2])) as client:

        async def get(path: str) -> tuple[int, dict[str, str], bytes]:
            await client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {here.key}\r\n\r\n".encode())
            return await client.answer()

        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(here.services.database, "read", broken)
            status, headers, body = await get("/api/v1/organisations")
        assert (status, json.loads(body)["code"]) == (500, "internal_error")
        assert headers["x-content-type-options"] == "nosniff"
        assert "connection" not in headers
        assert [entry["event"] for entry in logs] == ["request_failed"]
        assert (await get("/health"))[0] == 200
        counted = 'stagedoor_http_requests_total{method="GET",route="/api/v1/organisations",status="500"}'
        assert counted in (await get("/metrics"))[2].decode()
    assert not caplog.records  # uvicorn logs what is raised to it


async def test_a_stream_key_in_a_path_is_not_logged_with_an_unforeseen_error(
    here: Here, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("unforeseen")

    headers = {"Content-Type": "application/sdp"}
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(here.services.whip, "authenticate", broken)
        body = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
        async with http.post(f"{here.url}/whip/stk_secret", data=body, headers=headers) as answer:
            assert answer.status == 500
    assert [(entry["event"], entry["route"]) for entry in logs] == [("request_failed", "/whip/{streamKey}")]


@pytest.mark.parametrize("path", ["/organisations", "/apps/live/tokens"])
async def test_a_long_name_comes_back_shortened(here: Here, path: str) -> None:
    right = {"name": "x"} if path == "/organisations" else {"room": "x"}
    body = {**right, "y" * 900_000: 1}
    status, answer, _ = await here.api.raw("POST", path, body)
    assert status == 422
    assert len(json.dumps(answer)) < 1_000
    assert "y" * LONGEST_NAME + "…" in answer["detail"]


async def test_many_mistakes_cost_little(here: Here) -> None:
    """Pydantic would collect them all, half a second of the event loop for 1 MB."""
    many = {f"x{number}": 1 for number in range(70_000)}
    fair: list[float] = []
    spent: list[float] = []
    for _ in range(
        3
    ):  # the least of each: what else the process does meanwhile, such as collecting garbage, is not meant
        began = time.process_time()
        json.loads(json.dumps(many))
        fair.append(time.process_time() - began)
        began = time.process_time()
        status, answer, _ = await here.api.raw("POST", "/organisations", {"name": "x", **many})
        spent.append(time.process_time() - began)
        assert (status, len(answer["errors"])) == (422, MOST_UNKNOWN_FIELDS)
    assert min(spent) < 14 * min(fair)
    attributes = {f"x{number}": 1 for number in range(MOST_ENTRIES + 1)}
    status, answer, _ = await here.api.raw("PATCH", "/apps/live/rooms/x/participants/y", {"attributes": attributes})
    assert status == 422
    assert f"attributes has {MOST_ENTRIES} entries at the most" in answer["detail"]


@pytest.mark.parametrize(
    "name", ["a\x1b]0;b\x07", "a\x1b[2J", "a\x9bb", "a\u2028b", "a\u202eb", "a\u2066b", "a\nb", "a\x7f"], ids=ascii
)
async def test_names_have_no_control_characters(here: Here, name: str) -> None:
    for method, path, body in (
        ("POST", "/keys", {"name": name, "scopes": ["rooms:read"]}),
        ("POST", "/organisations", {"name": name}),
        ("POST", "/apps", {"slug": "new", "name": name}),
        ("PATCH", "/apps/live", {"name": name}),
        ("POST", "/apps/live/ws-ingest", {"room": "door", "name": name}),
    ):
        status, answer, _ = await here.api.raw(method, path, body)
        assert (status, answer["errors"][0]["field"]) == (422, "name"), path
        assert "control characters" in answer["detail"]


async def test_names_of_all_languages(here: Here) -> None:
    for number, name in enumerate(("Zoë", "名前", "שלום\u200f", "👨\u200d👩\u200d👧", "[/evil]", "a\u00a0b")):
        await here.api("POST", "/organisations", {"name": name, "slug": f"org{number}"}, expect=201)


async def test_what_the_api_answers_is_not_stored_by_caches(here: Here) -> None:
    for method, path, body in (
        ("POST", "/keys", {"name": "x", "scopes": ["rooms:read"]}),
        ("POST", "/apps/live/tokens", {"room": "demo"}),
        ("POST", "/apps/live/ws-ingest", {"room": "door"}),
        ("GET", "/apps", None),
        ("GET", "/apps/unknown", None),
    ):
        _, _, headers = await here.api.raw(method, path, body)
        assert headers.get("Cache-Control") == "no-store", path


async def test_a_key_has_so_many_calls_under_way(here: Here, http: aiohttp.ClientSession) -> None:
    """Slow requests of one key do not keep other callers from being answered."""
    most = here.services.settings.api_max_calls
    other = (await here.api("POST", "/keys", {"name": "x", "scopes": ["apps:read"]}, expect=201))["data"]["key"]
    slow = f"POST /api/v1/apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {here.key}\r\nContent-Length: 9\r\n\r\n"
    port = int(here.url.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(port)) for _ in range(most)]
        for client in clients:
            await client.send(slow.encode())
        await until_refused(here.api)
        await here.api.as_key(other)("GET", "/apps", expect=200)
    assert await eventually(lambda: answered(here.api))


async def until_refused(api: Api) -> None:
    async def refused() -> bool:
        status, answer, headers = await api.raw("GET", "/apps")
        return (status, headers.get("Retry-After")) == (429, "1") and answer["code"] == "too_many_calls"

    assert await eventually(refused)


async def answered(api: Api) -> bool:
    return (await api.raw("GET", "/apps"))[0] == 200


@pytest.mark.parametrize(
    ("constant", "method", "path", "body"),
    [
        ("tenancy.keys.MOST_KEYS", "POST", "/keys", {"name": "x", "scopes": ["rooms:read"]}),
        ("tenancy.apps.MOST_APPS", "POST", "/apps", {"slug": "app{}", "organisation": "default"}),
        ("rooms.plans.MOST_WAITING", "POST", "/apps/live/sessions", {}),
        (
            "outbox.endpoints.MOST_PER_ORGANISATION",
            "POST",
            "/apps/live/webhooks",
            {"url": "https://example.com/{}", "types": ["room.created"]},
        ),
    ],
)
async def test_rows_of_a_tenant_have_bounds(
    here: Here, monkeypatch: pytest.MonkeyPatch, constant: str, method: str, path: str, body: dict[str, Any]
) -> None:
    monkeypatch.setattr(f"stagedoor.{constant}", 4)
    made = 0
    while True:
        filled = {name: value.format(made) if isinstance(value, str) else value for name, value in body.items()}
        status, answer, _ = await here.api.raw(method, path, filled)
        if status != 201:
            break
        made += 1
        assert made <= 4
    assert (status, answer.get("limit")) == (429, 4), answer
    assert made >= 3


async def test_bans_of_an_app_have_a_bound(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagedoor.rooms.bans.MOST_BANS", 2)
    database, bans = here.services.database, here.services.bans
    app = await database.read(lambda tx: app_by_slug(tx, "live"))
    assert app is not None
    for number in range(2):
        await database.write(lambda tx, name=str(number): bans.ban(tx, app.id, "live-demo", name, 60))
    with pytest.raises(TooMany):
        await database.write(lambda tx: bans.ban(tx, app.id, "live-demo", "third", 60))
