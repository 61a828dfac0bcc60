"""TLS that is wrong is reported as such, with a reason that the endpoint's owner can act on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from stagedoor.outbox.nouns import AttemptResult
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.signing import new_secret
from tests.support.certificates import Authority, make_authority
from tests.support.receiver import receiving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


async def attempt(url: str, authority: Authority) -> AttemptResult:
    sender = Sender(allow_private=True, timeout_seconds=10, tls=authority.trusting())
    try:
        return await sender.send(url, "evt_1", b"{}", [new_secret()])
    finally:
        await sender.close()


async def test_certificates_are_checked(authority: Authority, tmp_path: Path) -> None:
    for tls, outcome, reason in (
        (authority.serving("localhost"), "ok", "Delivered"),
        (authority.intermediate().serving("localhost"), "ok", "Delivered"),
        (
            authority.intermediate().serving("localhost", chain=False),
            "tls",
            "does not send its intermediate certificate",
        ),
        (make_authority(tmp_path).serving("localhost"), "tls", "its authority is not a public one"),
        (authority.serving("localhost", days=-1), "tls", "has expired"),
        (authority.serving("elsewhere.example"), "tls", "does not name localhost"),
        (authority.serving("localhost", common_name_only=True), "tls", "a common name (CN) does not count"),
    ):
        async with receiving(tls) as receiver:
            answered = await attempt(receiver.url, authority)
            assert (answered.outcome, reason in answered.detail) == (outcome, True), answered.detail
            assert len(receiver.taken) == (outcome == "ok")


@contextmanager
def refusing(tls: ssl.SSLContext) -> Generator[str]:
    """A server that says by an alert why it refuses a client, as OpenSSL does and the event loops' servers do not."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as connection, contextlib.suppress(ssl.SSLError):
            tls.wrap_socket(connection, server_side=True).recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}/x"
    finally:
        thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_that_is_asked_for(authority: Authority, version: ssl.TLSVersion) -> None:
    tls = authority.serving("localhost")
    tls.minimum_version = tls.maximum_version = version
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(cadata=authority.pem())
    with refusing(tls) as url:
        answered = await attempt(url, authority)
    assert answered.outcome == "tls", answered.detail
    assert "client certificate" in answered.detail


async def test_plain_http_behind_https(authority: Authority) -> None:
    async with receiving() as plain:
        answered = await attempt(plain.url.replace("http:", "https:"), authority)
    assert (answered.outcome, "plain http" in answered.detail) == ("tls", True), answered.detail


@asynccontextmanager
async def closing(*, reset: bool) -> AsyncGenerator[str]:
    """A server that ends the connection when the client has begun its handshake."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        transport: Any = writer.transport
        if reset:
            transport.abort()
        else:
            await reader.read(65_536)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_an_endpoint_that_closes_at_the_first_word_of_the_handshake(authority: Authority, reset: bool) -> None:
    async with closing(reset=reset) as url:
        answered = await attempt(url, authority)
    assert answered.outcome == "tls", answered.detail
    assert answered.detail == "TLS failed: the endpoint closed the connection during the handshake."
