"""What a connection can make the HTTP server keep, do and wait for, before the client is known."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from stagedoor.app import http as http_server
from stagedoor.app import http_connection
from stagedoor.app.connection_limits import MOST_HEADER_FIELDS, MOST_PIPELINED
from stagedoor.app.http import HttpServer
from stagedoor.settings.resolve import resolve
from tests.support.product import free_ports

pytestmark = pytest.mark.anyio


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body's size, or early, or without a length."""
    body = b""
    if scope["path"] != "/early":
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        else:
            return
    headers = [] if scope["path"] == "/stream" else [(b"content-length", b"%d" % len(b"%d" % len(body)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/stream":
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": b"%d" % len(body)})


@asynccontextmanager
async def serving(tmp_path: Path, app: Any = echo, **settings: Any) -> AsyncGenerator[tuple[int, HttpServer]]:
    port = free_ports(1)[0]
    server = HttpServer(resolve({"data_dir": tmp_path, "http": f"127.0.0.1:{port}", **settings}, {}).settings)
    await server.start(app)
    try:
        yield port, server
    finally:
        await server.stop()


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, which has a length or ends with the connection."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = headers.get("content-length")
        body = await (self.reader.readexactly(int(length)) if length is not None else self.reader.read())
        return int(first.split()[1]), headers, body

    async def problem(self) -> tuple[int, str]:
        status, headers, body = await self.answer()
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        return status, json.loads(body)["code"]

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), 20) == b""
        except ConnectionResetError:
            return True


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def until_refused(client: Client, more: Callable[[int], bytes]) -> int:
    """Send until the server says something; how many bytes that took."""
    sent = 0
    answering = asyncio.create_task(client.problem())
    while not answering.done():
        data = more(sent)
        try:
            await client.send(data)
        except ConnectionError:
            break
        sent += len(data)
        assert sent < 50_000_000, "it takes a head of any size"
        await asyncio.sleep(0)
    assert await answering == (431, "head_too_large")
    return sent


HEADS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "one header": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", lambda _: b"a" * 4_096),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", lambda sent: b"X-%d: aaaaaaaa\r\n" % sent * 256),
    "the URL": (b"GET /", lambda _: b"a" * 4_096),
    "a name": (b"GET / HTTP/1.1\r\n", lambda _: b"a" * 4_096),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        lambda sent: b"X-%d: a\r\n" % sent * 256,
    ),
    "a chunk's extension": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=",
        lambda _: b"a" * 4_096,
    ),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
async def test_a_head_without_an_end_is_refused(tmp_path: Path, head: tuple[bytes, Callable[[int], bytes]]) -> None:
    async with serving(tmp_path) as (port, _), connected(port) as client:
        before = psutil.Process().memory_info().rss
        await client.send(head[0])
        await until_refused(client, head[1])
        assert await client.ended()
        assert psutil.Process().memory_info().rss - before < 20_000_000


async def test_a_head_up_to_the_limit_is_taken_in_whatever_pieces_it_comes(tmp_path: Path) -> None:
    async with serving(tmp_path) as (port, _), connected(port) as client:
        frame = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: %b\r\n\r\n"
        whole = frame % (b"a" * (65_536 - len(frame % b"")))
        for size in (65_536, 1_000, 40_000):
            for start in range(0, len(whole), size):
                await client.send(whole[start : start + size])
                await asyncio.sleep(0)
            assert (await client.answer())[0] == 200
        await client.send(whole.replace(b"X-A", b"X-AB"))
        assert await client.problem() == (431, "head_too_large")


async def test_a_request_has_so_many_header_fields(tmp_path: Path) -> None:
    async with serving(tmp_path) as (port, _):
        for fields, status in ((MOST_HEADER_FIELDS - 1, 200), (MOST_HEADER_FIELDS, 431)):
            async with connected(port) as client:
                extra = b"".join(b"X-%d: a\r\n" % number for number in range(fields))
                await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n")
                assert (await client.answer())[0] == status


async def test_a_large_body_behind_a_small_head_is_no_head(tmp_path: Path) -> None:
    async with serving(tmp_path) as (port, _), connected(port) as client:
        body = bytes(5_000_000)
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert (await client.answer())[2] == b"5000000"
        chunked = b"".join(b"1\r\na\r\n" for _ in range(30_000)) + b"0\r\n\r\n"
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
        assert (await client.answer())[2] == b"30000"


async def test_so_many_requests_wait_behind_one_another(tmp_path: Path) -> None:
    async with serving(tmp_path) as (port, _), connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * (MOST_PIPELINED + 50))
        answered = 0
        while True:
            try:
                assert (await client.answer())[0] == 200
            except asyncio.IncompleteReadError:
                break
            answered += 1
        assert answered == MOST_PIPELINED + 1


async def test_what_is_wrong_behind_a_request_does_not_cost_its_answer(tmp_path: Path) -> None:
    """A device that counts one byte too few."""
    async with serving(tmp_path) as (port, _), connected(port) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12345")
        status, headers, body = await client.answer()
        assert (status, body, headers["connection"]) == (200, b"4", "close")
        assert await client.ended()


async def test_what_is_no_http(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path) as (port, _):
        for wrong in (b"hello\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"):
            async with connected(port) as client:
                await client.send(wrong)
                assert await client.problem() == (400, "bad_http")
                assert await client.ended()
    assert not caplog.records


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at connections often, so that a timeout of a second is one."""
    monkeypatch.setattr(http_server, "_TICK_SECONDS", 0.05)


IMPATIENT = {"http_head_timeout": 1, "http_body_timeout": 1, "http_keep_alive": 1}


async def drip(client: Client, data: bytes, every: float) -> None:
    for byte in data:
        await client.send(bytes([byte]))
        await asyncio.sleep(every)


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_a_silent_connection_ends(quick: None, tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(sent)
        assert await client.ended()


async def test_an_idle_connection_ends(quick: None, tmp_path: Path) -> None:
    async with serving(tmp_path, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer())[0] == 200
        await client.send(b"\r\n")  # which is nothing
        assert await client.ended()


PARTS: dict[str, bytes] = {
    "a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\nabc",
    "a chunked body": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nab",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=list(PARTS))
@pytest.mark.parametrize("dripping", [False, True], ids=["and silence", "byte by byte"])
async def test_what_does_not_come_to_its_end_is_answered_408(
    quick: None, tmp_path: Path, part: bytes, dripping: bool
) -> None:
    async with serving(tmp_path, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(part)
        slowly = asyncio.create_task(drip(client, b"a" * 10_000 if dripping else b"", 0.05))
        assert await client.problem() == (408, "request_timeout")
        slowly.cancel()
        assert await client.ended()


async def test_a_body_whose_answer_was_given_ends_too(quick: None, tmp_path: Path) -> None:
    async with serving(tmp_path, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\nabc")
        assert (await client.answer())[0] == 200
        assert await client.ended()


async def test_a_body_behind_its_answer_is_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "DRAINED_BYTES", 1_000_000)
    async with serving(tmp_path) as (port, _), connected(port) as client:
        await client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n")
        assert (await client.answer())[0] == 200
        with pytest.raises(ConnectionError):
            await client.send(bytes(100_000_000))


async def test_a_body_that_comes_slowly_and_steadily_is_taken(quick: None, tmp_path: Path) -> None:
    """As from a modem: longer than the time-out, and faster than the slowest rate."""
    async with serving(tmp_path, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(20):
            await client.send(bytes(2_000))
            await asyncio.sleep(0.1)
        assert (await client.answer())[2] == b"40000"


async def test_who_waits_for_us_is_waited_for(quick: None, tmp_path: Path) -> None:
    """An answer that takes long, a body that the application does not read yet, and `Expect: 100-continue`."""
    go_on = asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await echo(scope, receive, send)

    async with (
        serving(tmp_path, late, **IMPATIENT) as (port, _),
        connected(port) as plain,
        connected(port) as full,
        connected(port) as polite,
    ):
        await plain.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await polite.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        body = asyncio.create_task(
            full.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(9_000_000))
        )
        await asyncio.sleep(2.5)
        go_on.set()
        assert (await plain.answer())[0] == 200
        await body
        assert (await full.answer())[2] == b"9000000"
        assert (await polite.answer())[0] == 100


async def test_a_pipelined_head_that_does_not_come_ends_no_stream(quick: None, tmp_path: Path) -> None:
    async def endless(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.05)

    async with serving(tmp_path, endless, **IMPATIENT) as (port, _), connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
        await client.reader.readuntil(b"\r\n\r\n")
        for _ in range(50):
            assert await asyncio.wait_for(client.reader.readuntil(b"x\r\n"), 5)


async def test_when_there_are_too_many_connections_the_idle_ones_go(tmp_path: Path) -> None:
    async with serving(tmp_path, http_max_connections=16) as (port, _):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        for _ in range(20):
            async with connected(port) as client:
                await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await client.answer())[0] == 200
        for _, writer in silent:
            writer.transport.abort()


async def test_when_all_connections_are_busy_a_further_one_gets_503(tmp_path: Path) -> None:
    async def endless(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(tmp_path, endless, http_max_connections=16) as (port, _):
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        for reader, writer in busy:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        async with connected(port) as client:
            assert await client.problem() == (503, "unavailable")
        for _, writer in busy:
            writer.transport.abort()


async def test_the_process_may_have_as_many_files_open_as_the_system_lets_it(tmp_path: Path) -> None:
    async with serving(tmp_path):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_to_http_1_0_has_no_chunks(tmp_path: Path, method: str) -> None:
    async with serving(tmp_path) as (port, _):
        for path, body in (("/stream", b"onetwo"), ("/", b"0")):
            async with connected(port) as client:
                await client.send(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
                head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 10)
                assert b"transfer-encoding" not in head.lower()
                assert b"connection: close" in head.lower()
                rest = await asyncio.wait_for(client.reader.read(), 10)
                assert rest == (body if method == "GET" else b"")


async def test_connections_are_kept_longer_than_the_usual_proxies_keep_them(tmp_path: Path) -> None:
    """nginx and load balancers keep them for 60 s, Caddy for 120, and none of them repeats a POST."""
    assert resolve({"data_dir": tmp_path}, {}).settings.http_keep_alive > 120


Sent = Callable[[dict[str, str]], Awaitable[str]]


@asynccontextmanager
async def forwarded_client(tmp_path: Path, **settings: Any) -> AsyncGenerator[Sent]:
    """What the application takes for the client's address."""

    async def who(scope: Any, _: Any, send: Any) -> None:
        body = f"{scope['client'][0]} {scope['scheme']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async with serving(tmp_path, who, **settings) as (port, _):

        async def sent(headers: dict[str, str]) -> str:
            async with connected(port) as client:
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                await client.send(f"GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
                return (await client.answer())[2].decode()

        yield sent


async def test_only_trusted_proxies_say_who_the_client_is(tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    async with forwarded_client(tmp_path) as sent:
        assert await sent(forwarded) == "198.51.100.7 https"
        assert await sent({}) == "127.0.0.1 http"
    async with forwarded_client(tmp_path, trusted_proxies=("10.0.0.0/8",)) as sent:
        assert await sent(forwarded) == "127.0.0.1 http"
    async with forwarded_client(tmp_path, trusted_proxies=("127.0.0.0/8", "198.51.100.7")) as sent:
        assert await sent(forwarded) == "203.0.113.9 https"
