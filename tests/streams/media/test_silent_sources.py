"""A source that takes the connection and never answers is a time-out, and not media that cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from stagedoor.streams.media import protocol
from stagedoor.streams.media.child import connecting, http_source, url_input
from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.child.url_input import UrlInput
from stagedoor.streams.media.protocol import Ended


@asynccontextmanager
async def server(answer: bytes) -> AsyncGenerator[int]:
    """One that sends this and nothing more, whatever it is asked; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        with contextlib.suppress(OSError):
            while await reader.read(1_024):
                pass
        writer.transport.abort()

    made = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()


async def failure(port: int, scheme: str) -> Ended:
    reading = UrlInput(protocol.UrlInput(f"{scheme}://127.0.0.1:{port}/live/x", allowed_networks=["127.0.0.0/8"]))
    with pytest.raises(StreamFailed) as failed:
        await asyncio.to_thread(list, reading.packets())
    return failed.value.ended()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_input, "_OPEN_SECONDS", 1.0)
    monkeypatch.setattr(http_source, "_READ_SECONDS", 1.0)
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 1.0)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https"])
async def test_one_that_never_answers(scheme: str) -> None:
    async with server(b"") as port:
        ended = await failure(port, scheme)
    assert (ended.code, ended.retry) == ("source_timeout", True)
    assert "takes the connection, but does not answer within 1 seconds" in ended.message


async def test_one_that_stops_before_it_sends_media() -> None:
    async with server(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n") as port:
        ended = await failure(port, "rtsp")
    assert ended.code == "source_timeout"
    assert "answers, but sends no media" in ended.message
