"""Answers as endpoints send them, byte for byte: the status line decides, and nothing in them does harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stagedoor.outbox import delivery_store
from stagedoor.outbox.nouns import AttemptResult
from stagedoor.outbox.response import ANSWER_BYTES, HEADER_CHARACTERS, HEADERS_KEPT
from stagedoor.outbox.sender import LONGEST_DETAIL, Sender
from stagedoor.outbox.signing import new_secret

_Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: bytes | _Answer, *, then_hang: bool = False) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A server that reads a message and answers with these bytes; its URL, and what it took."""
    taken: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            if callable(answer):
                await answer(reader, writer)
            else:
                writer.write(answer)
                await writer.drain()
            if then_hang:
                await over.wait()
        except (ConnectionError, RuntimeError):  # the sender has hung up; uvloop says so with a RuntimeError
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks?x=1", taken
    finally:
        over.set()
        server.close()


async def attempt(url: str, *, timeout: float = 5.0) -> AttemptResult:  # noqa: ASYNC109 - the sender's own
    sender = Sender(allow_private=True, timeout_seconds=timeout)
    try:
        return await sender.send(url, "evt_1", b"{}", [new_secret()])
    finally:
        await sender.close()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK + b"Content-Security-Policy: " + b"x" * 9_000 + b"\r\n\r\n", id="long header"),
        pytest.param(OK + b"Content-Security-Policy: " + b"x" * 34_000 + b"\r\n\r\n", id="longer header"),
        pytest.param(OK + b"Content-Security-Policy: " + b"x" * 400_000 + b"\r\n\r\n", id="head without measure"),
        pytest.param(OK + b"".join(b"X-%d: a\r\n" % n for n in range(1_000)) + b"\r\n", id="1,000 headers"),
        pytest.param(OK + b"Set-Cookie: a=b\r\n" * 120 + b"\r\n", id="120 cookies"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", id="both lengths"
        ),
        pytest.param(
            OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", id="both, turned round"
        ),
        pytest.param(OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", id="length twice"),
        pytest.param(OK + b"Content-Length: \r\n\r\nok", id="empty length"),
        pytest.param(OK + b"Content-Length: +0\r\n\r\n", id="+0"),
        pytest.param(OK + b"X A: b\r\n\r\nok", id="space in a name"),
        pytest.param(OK + b": b\r\n\r\nok", id="no name"),
        pytest.param(OK + b"X: a\r\n b\r\n\r\nok", id="folded"),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", id="204 with a body"),
        pytest.param(OK + b"Content-Length: 9\r\n\r\nhalf", id="cut body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", id="cut chunk"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf", id="bad chunk"),
        pytest.param(OK + b"Content-Length: 2\r\n\r\nok and more", id="data behind the body"),
        pytest.param(OK + b"X: a", id="cut head"),
        pytest.param(OK, id="a status line alone"),
        pytest.param(b"HTTP/1.1 200 OK\nX: a\n\nok", id="line feeds"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nok", id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200\r\n\r\n", id="no reason"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"\r\n", id="1xx"
        ),
        pytest.param(OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", id="gzip that is none"),
    ],
)
async def test_a_status_line_with_2xx_is_a_delivery(answer: bytes) -> None:
    async with answering(answer) as (url, taken):
        answered = await attempt(url)
    assert (answered.outcome, answered.status) == ("ok", 204 if b" 204 " in answer else 200), answered.detail
    assert "400" not in answered.detail
    assert taken[0].startswith(b"POST /hooks?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("cut", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_reset_after_the_status_line_changes_nothing(cut: bytes) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted" + cut)
        await writer.drain()
        transport: Any = writer.transport
        transport.abort()

    async with answering(reset) as (url, _):
        answered = await attempt(url)
    assert (answered.outcome, answered.status) == ("ok", 202), answered.detail


async def test_what_could_not_be_read_is_reported() -> None:
    async with answering(OK + b"X A: b\r\n\r\nok") as (url, _):
        answered = await attempt(url)
    because = "Its answer could not be read after the status line: one of the headers is not valid HTTP."
    assert answered.detail == f"Delivered. {because}"
    async with answering(b"HTTP/1.1 500 Oh\r\nContent-Length: x\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert (answered.outcome, answered.status) == ("status", 500)
    assert answered.detail == f"The endpoint answered 500. {because}"
    async with answering(b"HTTP/1.1 abc Oh\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert answered.detail == "The endpoint's answer has no status: the status line has no valid status."


async def test_headers_of_one_name_are_all_kept() -> None:
    async with answering(OK + b"Set-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert answered.response_headers == {"Set-Cookie": "a=1, b=2", "X": "y", "Content-Length": "0"}


async def test_so_much_of_the_headers_is_kept() -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 501) for number in range(51))
    async with answering(OK + many + b"\r\n") as (url, _):
        answered = await attempt(url)
    assert answered.response_headers == {f"X-{number}": "y" * HEADER_CHARACTERS for number in range(HEADERS_KEPT)}


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.", b"HTTP/1.1 20", b"HTTP/2 200\r\n\r\n", b"\x00" * 99]
)
async def test_what_is_no_answer_is_none(answer: bytes) -> None:
    async with answering(answer) as (url, _):
        answered = await attempt(url)
    assert (answered.outcome, answered.status) == ("connection", None)
    assert answered.detail in {
        "The endpoint closed the connection without an answer.",
        "The endpoint's answer has no status: it does not begin with a status line of HTTP/1.",
        "The endpoint's answer has no status: the connection ended.",
    }


async def test_no_answer_in_time() -> None:
    for sent in (b"", b"HTTP/1.1 1", b"HTTP/1.1 100 Continue\r\n\r\n"):
        async with answering(sent, then_hang=True) as (url, _):
            answered = await attempt(url, timeout=0.3)
        assert (answered.outcome, answered.status) == ("timeout", None)


async def test_a_body_that_does_not_end_is_read_for_a_bit_and_changes_nothing() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n.\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with answering(drip) as (url, _):
        answered = await attempt(url, timeout=60)
    assert (answered.outcome, (answered.response_body or "").strip(".")) == ("ok", "")
    assert answered.duration_ms < 30_000
    async with answering(flood) as (url, _):
        answered = await attempt(url, timeout=60)
    assert (answered.outcome, answered.response_body) == ("ok", "x" * 2048)


@pytest.mark.parametrize(
    ("first", "then", "outcome"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "connection"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "connection"),
        (b"HTTP/1.1 100 Continue\r\nX: ", b"y" * 25, "connection"),
        (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n", "connection"),
        (b"", b"\r\n", "connection"),
        (b"HTTP/1.1 200 ", b"OK", "ok"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 25, "ok"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", "ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"extension", "ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"Trailer: y\r\n", "ok"),
    ],
)
async def test_an_answer_without_an_end_is_broken_off(first: bytes, then: bytes, outcome: str) -> None:
    sent = 0

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(first)
        while True:
            writer.write(then * 1_000)
            sent += 1_000 * len(then)
            await writer.drain()

    async with answering(endless) as (url, _):
        answered = await attempt(url, timeout=60)
    assert answered.outcome == outcome, answered.detail
    assert answered.duration_ms < 50_000
    assert sent < 2 * ANSWER_BYTES + (16 << 20), "it was read on and on"  # sockets and transports hold megabytes


@pytest.mark.parametrize("status", [200, 410, 500])
async def test_text_that_is_not_utf8_gets_replacement_characters(status: int) -> None:
    answer = b"HTTP/1.1 %d Gr\xfc\xdf\r\nX-Grund: Schl\xfcssel\r\nServer: \xff\x00\r\n\r\n\xfc\x00" % status
    async with answering(answer) as (url, _):
        answered = await attempt(url)
    assert answered.status == status
    assert answered.response_headers == {"X-Grund": "Schl\ufffdssel", "Server": "\ufffd\ufffd"}
    assert answered.response_body == "\ufffd\ufffd"
    delivery_store.stored_form(answered).encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://www.example.com/hooks", "https://www.example.com/hooks"),
        ("/elsewhere?x=2", "{origin}/elsewhere?x=2"),
        ("http://169.254.169.254/", "http://169.254.169.254/"),
        ("http://[x/", "http://[x/"),
    ],
)
async def test_a_redirect_names_its_target_and_is_not_followed(status: int, location: str, named: str) -> None:
    async with answering(f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\n".encode()) as (url, taken):
        answered = await attempt(url)
    origin = url.partition("/hooks")[0]
    assert (answered.outcome, answered.status) == ("status", status)
    assert f"it redirects to {named.format(origin=origin)}; use that address." in answered.detail
    assert len(taken) == 1


async def test_a_redirect_to_nowhere() -> None:
    async with answering(b"HTTP/1.1 302 Found\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert answered.detail == "The endpoint answered 302."


@pytest.mark.parametrize("control", ["\x7f", "\x9b", "\u202e", "\u2028", "\x1b[2J", "\r", "\x00"])
async def test_what_an_endpoint_writes_acts_on_no_terminal(control: str) -> None:
    location = f"https://a.example/{control}x".encode()
    async with answering(b"HTTP/1.1 302 Found\r\nX-A: a\r\nLocation: " + location + b"\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert answered.status == 302
    texts = [answered.detail, *(answered.response_headers or {}).values()]
    assert all(text.isprintable() for text in texts), texts
    assert len(answered.detail) <= LONGEST_DETAIL


async def test_a_long_location_is_shortened() -> None:
    location = b"https://a.example/" + b"\xe2\x80\xae" * 5_000
    async with answering(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n") as (url, _):
        answered = await attempt(url)
    assert len(answered.detail) <= LONGEST_DETAIL
