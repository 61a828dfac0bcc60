"""What is answered in front of the framework is what the framework answers, and is counted and limited as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from stagedoor.api.application import build
from stagedoor.api.front import FrontedApp
from stagedoor.api.metrics import HTTP_REQUESTS
from stagedoor.services.services import Services
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import AppSettings
from tests.support.api_routes import application
from tests.support.api_webhook import room_event, signed

TOKENS = "/api/v1/apps/live/tokens"
SEGMENT = "/hls/live/demo/m/c2VjcmV0LXNlY3JldC1zZQ/7.mp4"
KEY = [(b"authorization", b"Bearer operator-secret")]
ASK = b'{"room":"demo","identity":"ada"}'


async def call(
    app: Any, method: str, path: str, headers: list[tuple[bytes, bytes]], *pieces: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the answer to a request whose body comes in pieces; without any, the client left."""
    sent: list[Message] = []
    incoming: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ] or [{"type": "http.disconnect"}]

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path.replace("%2F", "/"),
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.fixture
async def made(tmp_path: Path) -> Any:
    async with application(tmp_path, webhook_max_bytes=2048, api_max_body_bytes=1024) as (app, services):
        await services.database.write(
            lambda tx: apps.create(tx, organisations.create(tx, "One", "one"), "live", None, AppSettings())
        )
        yield app, services


def webhook(services: Services, **changes: Any) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body = json.dumps(room_event("room_started", "live-demo") | changes).encode()
    endpoint = services.gateway.endpoint
    return body, [(b"authorization", signed(endpoint.api_key, endpoint.api_secret, body).encode())]


async def test_the_framework_answers_the_same(made: tuple[FrontedApp, Services]) -> None:
    app, services = made
    plain = build(services, [])
    assert isinstance(plain, FrontedApp)
    plain.front = None
    event, signature = webhook(services)
    half = event[:100], event[100:]
    requests: list[tuple[str, str, list[tuple[bytes, bytes]], tuple[bytes, ...]]] = [
        ("POST", "/webhooks/livekit", signature, (event,)),
        ("POST", "/webhooks/livekit", signature, half),
        ("POST", "/webhooks/livekit", signature, (event[:-1],)),
        ("POST", "/webhooks/livekit", signature, (b"x" * 5000,)),
        ("POST", "/webhooks/livekit", signature, ()),
        ("POST", "/webhooks/livekit", [], (event,)),
        ("GET", "/webhooks/livekit", [], (b"",)),
        ("POST", "/webhooks/livekit/", signature, (event,)),
        ("POST", TOKENS, KEY, (b'{"room":"demo"',)),
        ("POST", TOKENS, KEY, (b'{"room":5}',)),
        ("POST", TOKENS, [*KEY, (b"content-length", b"5000")], (b'{"room":"demo","metadata":"', b"x" * 4973)),
        ("POST", TOKENS, KEY, ()),
        ("POST", TOKENS, [], (ASK,)),
        ("POST", TOKENS, [(b"authorization", b"Basic eA==")], (ASK,)),
        ("POST", TOKENS.replace("live", "none"), KEY, (ASK,)),
        ("POST", TOKENS.replace("live", "a%2Fb"), KEY, (ASK,)),
        ("POST", "/api/v1/apps//tokens", KEY, (ASK,)),
        ("POST", "/api/v1/apps/\x00/tokens", KEY, (ASK,)),
        ("GET", TOKENS, KEY, (b"",)),
        ("HEAD", TOKENS, KEY, (b"",)),
        ("GET", SEGMENT, [], (b"",)),
        ("HEAD", SEGMENT, [], (b"",)),
        ("OPTIONS", SEGMENT, [], (b"",)),
        ("POST", SEGMENT, [], (b"",)),
        ("GET", SEGMENT, [(b"range", b"bytes=0-1")], (b"",)),
        ("GET", SEGMENT.replace("demo", "a%2Fb"), [], (b"",)),
        ("GET", SEGMENT.replace("/demo/m", "/demo%2Fm"), [], (b"",)),
        ("GET", SEGMENT.replace("demo", ""), [], (b"",)),
        ("GET", SEGMENT.replace("demo", "\x00"), [], (b"",)),
        ("GET", f"{SEGMENT}/", [], (b"",)),
        ("GET", "/hls/live/demo/index.m3u8", [], (b"",)),
        ("GET", "/hls/live/demo/index.m3u8", KEY, (b"",)),
        ("GET", "/hls/none/demo/video.m3u8", KEY, (b"",)),
        ("GET", "/hls/live/demo/other.m3u8", KEY, (b"",)),
    ]
    for method, path, headers, pieces in requests:
        ours = await call(app, method, path, headers, *pieces)
        theirs = await call(plain, method, path, headers, *pieces)
        assert ours == theirs, (method, path)
        assert ours[1][b"x-content-type-options"] == b"nosniff"


async def test_a_token_is_the_same_but_for_its_time(made: tuple[FrontedApp, Services]) -> None:
    app, services = made
    plain = build(services, [])
    assert isinstance(plain, FrontedApp)
    plain.front = None
    status, headers, body = await call(app, "POST", TOKENS, KEY, ASK)
    their_status, their_headers, their_body = await call(plain, "POST", TOKENS, KEY, ASK)
    assert status == their_status == 201
    assert headers[b"cache-control"] == b"no-store", "it is a secret"
    assert headers == their_headers
    ours, theirs = json.loads(body)["data"], json.loads(their_body)["data"]
    for changing in ("token", "expiresAt"):
        assert ours.pop(changing)
        assert theirs.pop(changing)
    assert ours == theirs


async def test_a_repeated_request_for_a_token_gets_the_first_answer(made: tuple[FrontedApp, Services]) -> None:
    app, _ = made
    headers = [*KEY, (b"idempotency-key", b"once")]
    first = await call(app, "POST", TOKENS, headers, b'{"room":"demo"}')
    again = await call(app, "POST", TOKENS, headers, b'{"room":"demo"}')
    assert first[0] == 201
    assert first[2] == again[2], "also the identity that was made up"


async def test_answers_are_counted(made: tuple[FrontedApp, Services]) -> None:
    app, services = made
    event, signature = webhook(services)

    def counted(route: str, status: int) -> float:
        metric: Any = HTTP_REQUESTS.labels("POST", route, status)
        return metric._value.get()

    for path, route, headers, body, status in (
        ("/webhooks/livekit", "/webhooks/livekit", signature, event, 200),
        ("/webhooks/livekit", "/webhooks/livekit", [], event, 401),
        (TOKENS, "/api/v1/apps/{app}/tokens", KEY, ASK, 201),
        (TOKENS, "/api/v1/apps/{app}/tokens", KEY, b"{}", 422),
    ):
        before = counted(route, status)
        assert (await call(app, "POST", path, headers, body))[0] == status
        assert counted(route, status) == before + 1


async def test_what_breaks_is_answered_and_gives_nothing_away(
    made: tuple[FrontedApp, Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, services = made

    async def broken(*_: Any) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(services.receiver, "receive", broken)
    event, signature = webhook(services)
    status, headers, body = await call(app, "POST", "/webhooks/livekit", signature, event)
    assert status == 500
    assert headers[b"content-type"] == b"application/problem+json"
    assert b"secret" not in body
