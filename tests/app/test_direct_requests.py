"""A webhook that is answered at its connection is answered as through ASGI, and the connection ends as others do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stagedoor.api.front import FrontedApp
from stagedoor.api.metrics import HTTP_REQUESTS
from stagedoor.api.services import Services
from stagedoor.app import http as http_server
from stagedoor.app.http import HttpServer
from stagedoor.inbox import store
from tests.app.test_http_bounds import connected
from tests.support.api_routes import application
from tests.support.api_webhook import room_event, signed
from tests.support.product import free_ports

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(
    tmp_path: Path, *, direct: bool = True, **settings: Any
) -> AsyncGenerator[tuple[int, Services, HttpServer]]:
    port = free_ports(1)[0]
    async with application(tmp_path, http=f"127.0.0.1:{port}", webhook_max_bytes=4096, **settings) as (app, services):
        assert isinstance(app, FrontedApp)
        if not direct:
            app.direct = {}
        server = HttpServer(services.settings)
        await server.start(app)
        try:
            yield port, services, server
        finally:
            await server.stop()


def event(identity: str) -> bytes:
    return json.dumps(room_event("room_started", "live-demo") | {"id": identity}).encode()


def request(services: Services, body: bytes, *more: bytes, signature: str | None = None) -> bytes:
    endpoint = services.gateway.endpoint
    token = signed(endpoint.api_key, endpoint.api_secret, body) if signature is None else signature
    lines = [b"POST /webhooks/livekit HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body)]
    lines += [b"Authorization: %b" % token.encode()] if token else []
    return b"\r\n".join([*lines, *more, b"", body])


async def stored(services: Services) -> list[str]:
    found = await services.database.read(
        lambda tx: store.list_events(tx, state=None, livekit_room=None, before=None, limit=100)
    )
    return [one.id for one in reversed(found)]


async def answers(tmp_path: Path, *, direct: bool) -> list[tuple[int, dict[str, str], bytes]]:
    async with serving(tmp_path, direct=direct) as (port, services, _), connected(port) as client:
        first = event("EV_1")
        found: list[tuple[int, dict[str, str], bytes]] = []
        for wanted in (
            request(services, first),
            request(services, first),
            request(services, first, signature="a.b.c"),
            request(services, first, signature="Basic eA=="),
            request(services, first, signature=""),
            request(services, b"[]"),
            request(services, b"{"),
            request(services, b"x" * 5_000),
            request(services, event("E" * 200)),
        ):
            await client.send(wanted)
            status, headers, body = await client.answer()
            assert headers.pop("date")
            found.append((status, headers, body))
        await client.send(request(services, event("EV_2"), b"Connection: close"))
        found.append(await client.answer())
        assert found[-1][1].pop("date")
        assert await client.ended()
        assert await stored(services) == ["EV_1", "EV_2"]
    return found


async def test_both_ways_give_the_same_answers(tmp_path: Path) -> None:
    ours = await answers(tmp_path / "direct", direct=True)
    assert [status for status, _, _ in ours] == [200, 200, 401, 401, 401, 400, 400, 413, 400, 200]
    assert ours == await answers(tmp_path / "asgi", direct=False)


@pytest.fixture
def only_direct(monkeypatch: pytest.MonkeyPatch) -> Callable[[Services], None]:
    """Has the way through ASGI fail."""

    async def broken(*_: Any) -> None:
        raise AssertionError("it went through ASGI")

    return lambda services: monkeypatch.setattr(services.receiver, "receive", broken)


async def test_it_may_come_in_pieces(tmp_path: Path, only_direct: Callable[[Services], None]) -> None:
    async with serving(tmp_path) as (port, services, _), connected(port) as client:
        only_direct(services)
        for size in (1, 7, 300):
            whole = request(services, event(f"EV_{size}"))
            for start in range(0, len(whole), size):
                await client.send(whole[start : start + size])
                await asyncio.sleep(0)
            assert (await client.answer())[0] == 200
        assert await stored(services) == ["EV_1", "EV_7", "EV_300"]


async def test_requests_behind_one_another_are_answered_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as (port, services, _), connected(port) as client:
        wrong = request(services, b"[]")
        health = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        many = [request(services, event(f"EV_{number}")) for number in range(4)]
        await client.send(b"".join([many[0], wrong, health, many[1], many[2], wrong, many[3]]))
        statuses = [(await client.answer())[0] for _ in range(7)]
        assert statuses == [200, 400, 200, 200, 200, 400, 200]
        assert await stored(services) == [f"EV_{number}" for number in range(4)]


async def test_answers_are_counted_by_route(tmp_path: Path, only_direct: Callable[[Services], None]) -> None:
    def counted(status: int) -> float:
        metric: Any = HTTP_REQUESTS.labels("POST", "/webhooks/livekit", status)
        return metric._value.get()

    async with serving(tmp_path) as (port, services, _), connected(port) as client:
        only_direct(services)
        before = counted(200), counted(400)
        for body in (event("EV_1"), b"[]"):
            await client.send(request(services, body))
            await client.answer()
        assert (counted(200), counted(400)) == (before[0] + 1, before[1] + 1)


async def test_a_body_that_does_not_come_is_answered_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_TICK_SECONDS", 0.05)
    async with serving(tmp_path, http_body_timeout=1) as (port, services, _), connected(port) as client:
        await client.send(request(services, event("EV_1"))[:-5])
        assert await client.problem() == (408, "request_timeout")
        assert await client.ended()
        assert await stored(services) == []


class Held:
    """Holds answers back until they are let go."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.came = asyncio.Event()
        take = services.receiver.receive_then

        def receive_then(body: bytes, authorization: str | None, signature: str | None, answer: Any) -> None:
            def hold(received: Any) -> None:
                self.waiting.append(lambda: answer(received))
                self.came.set()

            take(body, authorization, signature, hold)

        monkeypatch.setattr(services.receiver, "receive_then", receive_then)

    async def one(self) -> Callable[[], None]:
        await asyncio.wait_for(self.came.wait(), 20)
        self.came.clear()
        return self.waiting.pop()


async def test_what_is_stored_stays_when_its_sender_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as (port, services, _):
        held = Held(services, monkeypatch)
        async with connected(port) as client:
            await client.send(request(services, event("EV_1")))
            let_go = await held.one()
        async with connected(port) as other:
            await other.send(request(services, event("EV_2")))
            (await held.one())()
            assert (await other.answer())[0] == 200
            let_go()  # to a connection that is lost
        assert await stored(services) == ["EV_1", "EV_2"]


async def test_a_stop_waits_for_the_answer_and_says_that_it_is_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as (port, services, server), connected(port) as client:
        held = Held(services, monkeypatch)
        await client.send(request(services, event("EV_1")))
        let_go = await held.one()
        stopping = asyncio.create_task(server.stop())
        async with asyncio.timeout(20):
            while any(connection.cycle.keep_alive for connection in connections(server)):  # noqa: ASYNC110 - a flag of uvicorn's
                await asyncio.sleep(0)
        assert not stopping.done()
        let_go()
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.ended()
        await stopping


def connections(server: HttpServer) -> list[Any]:
    inner: Any = server._server  # pyright: ignore[reportPrivateUsage]
    return list(inner.server_state.connections)


async def test_an_answer_waits_for_a_client_that_does_not_read_those_before_it(tmp_path: Path) -> None:
    """Or who only sends would have the server keep answers without end."""
    async with serving(tmp_path) as (port, services, server), connected(port) as client:
        await client.send(request(services, event("EV_1")))
        await client.answer()
        (connection,) = connections(server)
        connection.pause_writing()  # as the transport does when its buffer is full
        await client.send(request(services, event("EV_2")))
        async with asyncio.timeout(20):
            while await stored(services) != ["EV_1", "EV_2"]:
                pass
        assert not connection.cycle.response_complete
        connection.resume_writing()
        assert (await client.answer())[0] == 200
