"""Bad input is 4xx and a problem document with a stable code, never a 5xx, on every database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.api_tenant import new_app
from tests.support.api_wire import assert_problem, chunked, exchange, post
from tests.support.product import Api, RunningProduct

POSTS = {
    "/organisations": {"name": "x"},
    "/keys": {"name": "x", "scopes": ["apps:read"]},
    "/apps": {"slug": "x"},
    "/apps/live/tokens": {"room": "x"},
    "/apps/live/rooms": {"name": "x"},
    "/apps/live/rooms/demo/data": {"data": "x"},
    "/apps/live/rooms/demo/links": {"page": "play"},
}
NO_JSON = {
    "nothing": b"",
    "text": b"garbage",
    "half": b'{"name":',
    "two": b"{}{}",
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "a NUL": b"\x00",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "a number with 5000 digits": b'{"name":' + b"9" * 5000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "a number": b"5",
    "half a surrogate pair": b'{"name":"\\ud800","slug":"\\ud800","room":"\\ud800","data":"\\ud800","page":"\\ud800"}',
    "half a surrogate pair as a name": b'{"\\ud800":1}',
    "not a number": b'{"name":NaN}',
}


@pytest.mark.parametrize("body", list(NO_JSON.values()), ids=list(NO_JSON))
@pytest.mark.parametrize("path", list(POSTS))
async def test_a_body_that_is_no_json_or_no_object(managed_product: RunningProduct, path: str, body: bytes) -> None:
    request = post(f"/api/v1{path}", managed_product.api_key, body)
    status, code = assert_problem(await exchange(managed_product.url, request))
    assert (status, code) in {(400, "not_json"), (400, "unreadable_body"), (422, "validation_failed")}


@pytest.mark.parametrize("wrong", [5, 1.5, True, None, [], {}, [None], "a\x00b"], ids=repr)
async def test_fields_of_the_wrong_type(managed_product: RunningProduct, wrong: Any) -> None:
    for path, right in POSTS.items():
        for name in right:
            body = json.dumps(right | {name: wrong}).encode()
            request = post(f"/api/v1{path}", managed_product.api_key, body)
            status, code = assert_problem(await exchange(managed_product.url, request))
            assert status in {404, 413, 422}, (path, name, code)


@pytest.mark.parametrize("blank", ["   ", "\u200b\u200d", "\u00a0\u3164"], ids=["spaces", "zero width", "fillers"])
async def test_a_name_that_shows_nothing_is_refused(managed_api: Api, blank: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/organisations": {},
        "/keys": {"scopes": ["apps:read"]},
        "/apps": {"slug": "blank"},
        "/apps/live/ws-ingest": {"room": "blank"},
        "/apps/live/tokens": {"room": "x"},
        "/apps/live/sessions": {"roomName": "blank", "participants": [{"identity": "a", "name": blank}]},
    }
    for path, body in bodies.items():
        sent = body if "participants" in body else body | {"name": blank}
        status, problem, _ = await managed_api.raw("POST", path, sent)
        assert (status, "it shows nothing; give it a letter" in problem["detail"]) == (422, True), (path, problem)
    token = await managed_api("POST", "/apps/live/tokens", {"room": "x", "name": " Ada\u200b"}, expect=201)
    assert token["data"]["token"]


async def test_an_unknown_field_is_named(managed_product: RunningProduct) -> None:
    for path, right in POSTS.items():
        body = json.dumps(right | {"nonsense": 1}).encode()
        answer = await exchange(managed_product.url, post(f"/api/v1{path}", managed_product.api_key, body))
        assert assert_problem(answer) == (422, "validation_failed")
        assert "nonsense" in json.loads(answer[2])["detail"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_another_content_type(managed_product: RunningProduct, content_type: str) -> None:
    for path in ("/organisations", "/apps/live/rooms"):
        request = post(f"/api/v1{path}", managed_product.api_key, b"{}", Content_Type=content_type)
        assert_problem(await exchange(managed_product.url, request))


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "with an Idempotency-Key"])
@pytest.mark.parametrize("path", ["/organisations", "/apps/live/tokens"])
async def test_a_huge_body(limited_product: RunningProduct, path: str, idempotent: bool) -> None:
    body = json.dumps({"name": "x" * 3000, "room": "x" * 3000}).encode()
    headers = {"Idempotency_Key": f"huge{path}"} if idempotent else {}
    whole = post(f"/api/v1{path}", limited_product.api_key, body, **headers)
    assert assert_problem(await exchange(limited_product.url, whole)) == (413, "too_large")
    pieces = [body[start : start + 500] for start in range(0, len(body), 500)]
    in_pieces = chunked(f"/api/v1{path}", limited_product.api_key, pieces, **headers)
    assert assert_problem(await exchange(limited_product.url, in_pieces)) == (413, "too_large")
    answer = await exchange(limited_product.url, whole)
    assert json.loads(answer[2])["limit"] == 2048


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "with an Idempotency-Key"])
@pytest.mark.parametrize("path", list(POSTS))
async def test_half_a_body(managed_product: RunningProduct, path: str, idempotent: bool) -> None:
    headers = {"Idempotency_Key": f"half{path}"} if idempotent else {}
    before = managed_product.log.count("request_failed")
    request = post(f"/api/v1{path}", managed_product.api_key, b'{"name":', Content_Length="500", **headers)
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
        writer.write(request)
        await writer.drain()
        writer.transport.abort()
    fine = post("/api/v1/apps/live/tokens", managed_product.api_key, b'{"room":"demo"}')
    assert (await exchange(managed_product.url, fine))[0] == 201
    assert managed_product.log.count("request_failed") == before


ODD = {
    "a NUL": "%00",
    "invalid UTF-8": "%ff%fe",
    "an emoji": "%F0%9F%98%80",
    "long": "x" * 5000,
    "SQL": "'%20OR%201=1--",
}
PATHS = [
    ("GET", "/organisations/{odd}"),
    ("GET", "/keys/{odd}"),
    ("GET", "/apps/{odd}"),
    ("POST", "/apps/{odd}/tokens"),
    ("GET", "/apps/{odd}/rooms"),
    ("GET", "/apps/live/rooms/{odd}"),
    ("GET", "/apps/live/rooms/{odd}/participants"),
    ("GET", "/apps/live/sessions/{odd}"),
    ("GET", "/apps/live/sessions?room={odd}"),
    ("GET", "/apps/live/events?room={odd}%2F"),
    ("GET", "/inbox/{odd}"),
    ("GET", "/apps?organisation={odd}"),
    ("GET", "/apps?limit={odd}"),
]


@pytest.mark.parametrize("odd", list(ODD.values()), ids=list(ODD))
async def test_odd_references(every_product: RunningProduct, odd: str) -> None:
    for method, template in PATHS:
        target = f"/api/v1{template.format(odd=odd)}"
        request = post(target, every_product.api_key, b'{"room":"x"}').replace(b"POST", method.encode(), 1)
        status, headers, body = await exchange(every_product.url, request)
        if status != 200:  # a filter that nothing fits
            status, _ = assert_problem((status, headers, body))
            assert status in {404, 422}, template


async def test_odd_texts_in_bodies(every_product: RunningProduct) -> None:
    """What SQLite keeps and PostgreSQL does not must be refused before either sees it."""
    texts = ["\x00", "a\x00", "\ud83d\ude00", "\u202e", "\x7f", "'; DROP TABLE apps; --"]
    for path, right in POSTS.items():
        for name, value in right.items():
            for text in texts:
                wrong = [text] if isinstance(value, list) else text
                request = post(f"/api/v1{path}", every_product.api_key, json.dumps(right | {name: wrong}).encode())
                status, _, body = await exchange(every_product.url, request)
                assert status < 500, (path, name, text, body)
                assert ("\x00" not in text) or status in {404, 422}, (path, name, text, body)


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "DELETE"])
async def test_a_method_that_does_not_work_here(managed_product: RunningProduct, method: str) -> None:
    request = post("/api/v1/apps", managed_product.api_key, b"").replace(b"POST", method.encode(), 1)
    answer = await exchange(managed_product.url, request)
    assert assert_problem(answer) == (405, "method_not_allowed")
    assert answer[1]["allow"] == "GET, POST"


async def test_an_address_that_leads_nowhere(managed_product: RunningProduct) -> None:
    for path in (
        "/nowhere",
        "/api/v1/nowhere",
        "/api/v1/apps/",
        "/api/v2/apps",
        "//",
        "/%00",
        "/assets/%00",
        "/assets/../x",
    ):
        request = post(path, managed_product.api_key, b"").replace(b"POST", b"GET", 1)
        assert assert_problem(await exchange(managed_product.url, request)) == (404, "no_route"), path


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer", "Bearer  ", "bearer\tx", "sk_x", "Bearer Ã¼"])
async def test_an_odd_authorization(managed_product: RunningProduct, authorization: str) -> None:
    request = post("/api/v1/apps/live/tokens", "", b'{"room":"x"}', Authorization=authorization)
    assert assert_problem(await exchange(managed_product.url, request))[0] == 401


async def test_answers_carry_the_headers_of_every_answer(managed_product: RunningProduct) -> None:
    for path in ("/health", "/nowhere", "/api/v1/apps"):
        request = post(path, managed_product.api_key, b"").replace(b"POST", b"GET", 1)
        _, headers, _ = await exchange(managed_product.url, request)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_a_problem_says_nothing_of_the_inside(managed_api: Api) -> None:
    app = await new_app(managed_api)
    for method, path, body in (
        ("GET", f"/apps/{app}/rooms/none", None),
        ("POST", "/apps", {"slug": "Bad"}),
        ("POST", f"/apps/{app}/rooms/none/data", {"data": "x"}),
    ):
        _, answer, _ = await managed_api.raw(method, path, body)
        text = json.dumps(answer)
        for inside in ("Traceback", "sqlite", "asyncpg", "/src/", "pydantic", "stagedoor.", "127.0.0.1"):
            assert inside not in text
