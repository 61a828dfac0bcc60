"""The webhook's endpoint: what it takes, what it refuses, and that a 200 means durable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from livekit import api as livekit

from tests.support.api_webhook import Sender, room_event, signed
from tests.support.product import Api, RunningProduct, eventually

PATHS = ["/webhooks/livekit", "/voice/livekit/webhooks"]


async def stored(api: Api, event: str) -> Any:
    return (await api("GET", f"/inbox/{event}", expect=200))["data"]


async def unknown(api: Api, event: str) -> bool:
    return (await api.raw("GET", f"/inbox/{event}"))[0] == 404


@pytest.mark.parametrize("path", PATHS)
async def test_200_means_stored(send: Sender, managed_api: Api, path: str) -> None:
    body = room_event("room_started", "live-hook")
    assert await send(body, path) == 200
    kept = await stored(managed_api, body["id"])
    assert (kept["event"], kept["livekitRoom"], kept["body"]) == ("room_started", "live-hook", body)
    assert (kept["key"], kept["scheme"]) == (send.key, "jwt")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_refused(http: aiohttp.ClientSession, send: Sender, path: str, method: str) -> None:
    async with http.request(method, send.url + path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"


async def test_the_path_is_configurable_and_the_fixed_one_stays(send_tuned: Sender, tuned_api: Api) -> None:
    for path in ("/hooks/mine", "/webhooks/livekit"):
        body = room_event("room_started", "live-hook")
        assert await send_tuned(body, path) == 200
        await stored(tuned_api, body["id"])
    assert await send_tuned.raw(b"{}", "/voice/livekit/webhooks") == (404, "no_route")


async def test_a_missing_or_wrong_signature_is_refused_and_nothing_is_stored(send: Sender, managed_api: Api) -> None:
    body = room_event("room_started", "live-hook")
    raw = json.dumps(body).encode()
    good = signed(send.key, send.secret, raw)
    refused = (401, "bad_signature")
    assert await send.raw(raw) == refused
    wrong = {
        "of another body": signed(send.key, send.secret, raw + b" "),
        "with another secret": signed(send.key, "another-secret-that-is-long-enough-for-hs256", raw),
        "by an unknown key": signed("APIunknown", send.secret, raw),
        "expired": signed(send.key, send.secret, raw, timedelta(minutes=-2)),
        "of a proxy": "Basic dXNlcjpwYXNz",
        "two signatures in one": f"{good}, {good}",
        "cut off": good[:-2],
        "of nothing": "..",
        "without a digest": signed(send.key, send.secret, b""),
        "unsigned": f"eyJhbGciOiJub25lIn0.{good.split('.')[1]}.",
        "with a header that is a list": f"W10.{good.split('.')[1]}.{good.split('.')[2]}",
        "with claims that are a list": f"{good.split('.')[0]}.W10.{good.split('.')[2]}",
        "not ASCII": "Ã¼.Ã¼.Ã¼",
    }
    for what, authorization in wrong.items():
        assert await send.raw(raw, Authorization=authorization) == refused, what
    assert await unknown(managed_api, body["id"])
    assert (await send.raw(raw, Authorization=good))[0] == 200


async def test_what_a_proxy_adds_to_the_signature_does_no_harm(send: Sender, http: aiohttp.ClientSession) -> None:
    for headers in (
        [("Authorization", "Bearer {}")],
        [("Authorization", "bearer  {} ")],
        [("Authorization", "{} ")],
        [("Authorization", "Basic dXNlcjpwYXNz"), ("Authorization", "{}")],
        [("Authorization", "{}"), ("Authorization", "Basic dXNlcjpwYXNz")],
    ):
        raw = json.dumps(room_event("room_started", "live-hook")).encode()
        good = signed(send.key, send.secret, raw)
        given = [(name, value.format(good)) for name, value in headers]
        async with http.post(f"{send.url}/webhooks/livekit", data=raw, headers=given) as answer:
            assert answer.status == 200, headers


async def test_the_reason_of_a_refusal_is_counted(
    send: Sender, http: aiohttp.ClientSession, managed_product: RunningProduct
) -> None:
    raw = json.dumps(room_event("room_started", "live-hook")).encode()
    good = signed(send.key, send.secret, raw)
    without_digest = livekit.AccessToken(send.key, send.secret).to_jwt()

    async def counted() -> dict[str, float]:
        async with http.get(f"{managed_product.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        start = "stagedoor_webhook_refusals_total{reason="
        found = (line.removeprefix(start).rsplit(" ", 1) for line in lines if line.startswith(start))
        return {label.strip('"}'): float(value) for label, value in found}

    for reason, header in {
        "other_scheme": {"Authorization": "Basic dXNlcjpwYXNz"},
        "not_jwt": {"Authorization": "something"},
        "no_digest": {"Authorization": without_digest},
        "bad_signature": {"Authorization": signed(send.key, "another-secret-that-is-long-enough-for-hs256", raw)},
        "body_changed": {"Authorization": signed(send.key, send.secret, raw + b" ")},
        "unknown_key": {"Authorization": signed("APIunknown", send.secret, raw)},
        "missing": {},
    }.items():
        before = await counted()
        assert await send.raw(raw, **header) == (401, "bad_signature")
        after = await counted()
        assert {name for name in after if after[name] > before[name]} == {reason}
    assert (await send.raw(raw, Authorization=good))[0] == 200


async def test_a_body_that_is_no_event_is_refused(send: Sender) -> None:
    async def answer(body: bytes) -> tuple[int, Any]:
        return await send.raw(body, Authorization=signed(send.key, send.secret, body))

    huge = b"9" * 5000
    bodies: list[bytes] = [
        b"",
        b"garbage",
        b"null",
        b"5",
        b"[]",
        b'"event"',
        b"{}",
        b'{"event":""}',
        b'{"event":5}',
        b'{"event":"room_started","id":7}',
        b'{"event":"room_started","room":[]}',
        b'{"event":"room_started","room":{"name":5}}',
        b'{"event":"room_started","createdAt":"soon"}',
        b'{"event":"room_started","createdAt":' + huge + b"}",
        b'{"event":"room_started","participant":{"attributes":{"a":1}}}',
        b'{"event":"room_started","id":"a\\u0000"}',
        b'{"event":"room_started","room":{"name":"a\\u0000"}}',
        b'{"event":"room\\u0000"}',
        b'{"event":"room_started","id":"' + b"x" * 129 + b'"}',
        b'{"event":"\xff\xfe"}',
        b'{"event":"\\ud800"}',
        b'{"event":"room_started"',
        b"\x00",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"event":"room_started","more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ]
    for body in bodies:
        assert await answer(body) == (400, "not_an_event"), body[:80]


ODD_FIELDS: list[dict[str, Any]] = [
    {"createdAt": str(2**63 - 1)},
    {"createdAt": "-1"},
    {"participant": {"sid": "PA_x", "identity": "a", "joinedAtMs": str(2**62)}},
    {"participant": {"sid": "PA_x", "identity": "a\x00b", "name": "\x00"}},
    {"participant": {"sid": "P" * 5000, "identity": "i" * 5000, "state": "NEW_STATE", "kind": "K" * 500}},
    {"track": {"sid": "TR_x", "type": "SMELL", "width": 2**70}},
    {"numDropped": [[[[]]]], "unknown": {"deeper": None}},
]


@pytest.mark.parametrize(
    "fields",
    ODD_FIELDS,
    ids=["far future", "before the epoch", "joined far in the future", "NUL", "long", "odd track", "unknown fields"],
)
@pytest.mark.parametrize("name", ["participant_joined", "participant_left", "track_published", "room_finished"])
async def test_an_event_with_odd_values_breaks_nothing(
    send: Sender, managed_api: Api, name: str, fields: dict[str, Any]
) -> None:
    body = room_event(name, "live-odd", **fields)
    assert await send(body) in {200, 400}
    if not await unknown(managed_api, body["id"]):

        async def settled() -> bool:
            return (await stored(managed_api, body["id"]))["state"] != "pending"

        await eventually(settled)
    listed = await managed_api("GET", "/apps/live/sessions?room=odd&limit=200", expect=200)
    for session in listed["data"]:
        await managed_api("GET", f"/apps/live/sessions/{session['id']}", expect=200)
    await managed_api("GET", "/apps/live/rooms?limit=200", expect=200)


@pytest.mark.parametrize("value", [2**62, 10**17, -(10**15)], ids=["2^62", "year 3 million", "before year 1"])
async def test_a_session_that_began_at_no_time_of_the_calendar_is_still_shown(
    send: Sender, managed_api: Api, value: int
) -> None:
    body = room_event("room_started", "live-calendar")
    body["room"]["creationTimeMs"] = str(value)
    assert await send(body) == 200

    async def settled() -> bool:
        return (await stored(managed_api, body["id"]))["state"] != "pending"

    await eventually(settled)
    await managed_api("GET", "/apps/live/sessions", expect=200)


async def test_a_deeply_nested_event_is_either_refused_or_shown(send: Sender, managed_api: Api) -> None:
    for depth in (50, 300, 500):
        body = room_event("room_finished", "live-deep")
        raw = json.dumps(body)[:-1].encode() + b',"more":' + b"[" * depth + b"]" * depth + b"}"
        status = await send(raw)
        assert status in {200, 400}
        assert (await managed_api.raw("GET", f"/inbox/{body['id']}"))[0] == (200 if status == 200 else 404), depth


async def test_a_body_over_the_limit_is_refused(send_tuned: Sender, tuned_api: Api) -> None:
    body = room_event("room_started", "live-hook", metadata="x" * 5000)
    raw = json.dumps(body).encode()
    good = signed(send_tuned.key, send_tuned.secret, raw)
    assert await send_tuned.raw(raw, Authorization=good) == (413, "too_large")

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 1000):
            yield raw[start : start + 1000]

    assert await send_tuned.raw(in_pieces(), Authorization=good) == (413, "too_large")
    assert await unknown(tuned_api, body["id"])
    fits = room_event("room_started", "live-hook", metadata="x" * 3000)
    raw = json.dumps(fits).encode()
    good = signed(send_tuned.key, send_tuned.secret, raw)
    assert (await send_tuned.raw(in_pieces(), Authorization=good))[0] == 200


async def test_half_a_body_and_a_closed_socket(send: Sender, managed_product: RunningProduct, managed_api: Api) -> None:
    body = room_event("room_started", "live-hook")
    raw = json.dumps(body).encode()
    head = (
        f"POST /webhooks/livekit HTTP/1.1\r\nHost: x\r\nAuthorization: {signed(send.key, send.secret, raw)}\r\n"
        f"Content-Length: {len(raw)}\r\n\r\n"
    ).encode()
    before = managed_product.log.count("request_failed")
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
        writer.write(head + raw[: len(raw) // 2])
        await writer.drain()
        writer.transport.abort()
    assert await send(body) == 200
    await stored(managed_api, body["id"])
    assert managed_product.log.count("request_failed") == before


async def test_a_duplicate_changes_nothing(send: Sender, managed_api: Api) -> None:
    body = room_event("room_started", "live-twice")
    assert await send(body) == 200

    async def applied() -> Any:
        kept = await stored(managed_api, body["id"])
        return kept if kept["state"] == "applied" else None

    first = await eventually(applied)
    for again in (body, body | {"event": "room_finished"}):
        assert await send(again) == 200
    assert await stored(managed_api, body["id"]) == first
    sessions = (await managed_api("GET", "/apps/live/sessions?room=twice"))["data"]
    assert [session["roomSid"] for session in sessions] == [body["room"]["sid"]]


async def test_an_event_that_means_nothing_is_ignored(send: Sender, managed_api: Api) -> None:
    body = room_event("room_painted", "live-hook")
    assert await send(body) == 200

    async def ignored() -> bool:
        return (await stored(managed_api, body["id"]))["state"] == "ignored"

    await eventually(ignored)


async def test_secrets_in_an_event_are_not_stored(
    send: Sender, managed_api: Api, managed_product: RunningProduct
) -> None:
    body = room_event("room_started", "live-hook")
    body["room"]["turnPassword"] = "hush-hush-turn-password"
    body["participant"] = {"sid": "PA_x", "identity": "ada", "attributes": {"username": "ada", "password": "mine"}}
    body["egressInfo"] = {
        "roomComposite": {"streamOutputs": [{"protocol": "RTMP", "urls": ["rtmp://x/hush-hush-key"]}]},
        "streamResults": [{"url": "rtmp://x/hush-hush-key"}],
    }
    assert await send(body) == 200
    kept = (await stored(managed_api, body["id"]))["body"]
    assert kept["participant"] == body["participant"]
    assert kept["room"]["turnPassword"] == "[removed]"
    assert "hush-hush" not in json.dumps(kept)
    for file in managed_product.data_dir.glob("stagedoor.db*"):
        assert b"hush-hush" not in file.read_bytes()
    assert "hush-hush" not in managed_product.log
