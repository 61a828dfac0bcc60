"""What a WebSocket's peer can make us keep and do."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from stagedoor.app import http as http_server
from stagedoor.app import websocket_connection
from stagedoor.app.websocket_connection import LARGEST_OTHER_MESSAGE, WebSocketConnection
from tests.app.test_http_bounds import Client, connected, serving

pytestmark = pytest.mark.anyio

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n"
)


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """Says how large each message is; answers HTTP too, so that others can be seen to be served."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        data = message.get("bytes")
        size = len(message["text"] if data is None else data)
        await send({"type": "websocket.send", "text": str(size)})


async def upgrade(client: Client, path: str = "/live/ws", *headers: str) -> None:
    await client.send(HANDSHAKE.format(path, "".join(f"{header}\r\n" for header in headers)).encode())
    head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 101 "), head


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    first = bytes([0x80 * fin | opcode])
    if len(data) < 126:
        return first + bytes([0x80 | len(data)]) + bytes(4) + data
    if len(data) < 65_536:
        return first + bytes([0xFE]) + len(data).to_bytes(2, "big") + bytes(4) + data
    return first + bytes([0xFF]) + len(data).to_bytes(8, "big") + bytes(4) + data


async def received(client: Client, *, pings: bool = False) -> tuple[int, bytes]:
    """The next frame; the server's pings, which come when the machine is slow, on request only."""
    while True:
        first, length = await asyncio.wait_for(client.reader.readexactly(2), 60)
        if length == 126:
            length = int.from_bytes(await client.reader.readexactly(2), "big")
        data = await client.reader.readexactly(length)
        if pings or first & 0x0F != 9:
            return first & 0x0F, data


async def closed(client: Client) -> tuple[int, str]:
    while (got := await received(client))[0] != 8:
        pass
    return int.from_bytes(got[1][:2], "big"), got[1][2:].decode()


async def slowest_answer(port: int, until: asyncio.Event) -> float:
    """How long another client waited at worst."""
    slowest = 0.0
    while not until.is_set():
        async with connected(port) as other:
            began = time.perf_counter()
            await other.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await other.answer())[0] == 200
            slowest = max(slowest, time.perf_counter() - began)
        await asyncio.sleep(0.005)
    return slowest


@pytest.mark.parametrize("size", [1_000, 23_313, 200_000])
@pytest.mark.parametrize("piece", [1, 1_016])
async def test_a_message_in_fragments_is_taken_whole(tmp_path: Path, size: int, piece: int) -> None:
    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        await upgrade(client, "/ingest/ws")
        data = bytes(size)
        pieces = [frame(0, data[start : start + piece], fin=False) for start in range(piece, size, piece)]
        await client.send(b"".join([frame(2, data[:piece], fin=False), *pieces, frame(9, b"now"), frame(0, b"")]))
        assert await received(client) == (10, b"now")
        assert await received(client) == (1, str(size).encode())
        await client.send(frame(2, b"next"))
        assert await received(client) == (1, b"4")


async def test_a_message_takes_as_much_memory_as_it_has_bytes(tmp_path: Path) -> None:
    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        await upgrade(client, "/ingest/ws")
        await client.send(frame(2, b"a", fin=False))
        before = psutil.Process().memory_info().rss
        for _ in range(40):
            await client.send(frame(0, b"a", fin=False) * 20_000)
        await client.send(frame(9, b"here"))
        assert await received(client) == (10, b"here")
        assert psutil.Process().memory_info().rss - before < 16_000_000


async def test_who_only_watches_may_say_little(tmp_path: Path) -> None:
    async with serving(tmp_path, mirror) as (port, _):
        async with connected(port) as client:
            await upgrade(client)
            await client.send(frame(1, b"a" * LARGEST_OTHER_MESSAGE))
            assert await received(client) == (1, str(LARGEST_OTHER_MESSAGE).encode())
            await client.send(frame(1, b"a" * (LARGEST_OTHER_MESSAGE + 1)))
            assert (await closed(client))[0] == 1009
        async with connected(port) as client:
            await upgrade(client)
            await client.send(frame(2, b"a", fin=False) + frame(0, b"a", fin=False) * (LARGEST_OTHER_MESSAGE + 1))
            assert (await closed(client))[0] == 1009


async def test_pings_of_a_client_that_reads_nothing_are_not_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        await upgrade(client)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        pings = frame(9, bytes(125)) * 2_000
        before = psutil.Process().memory_info().rss
        over = asyncio.Event()
        waiting = asyncio.create_task(slowest_answer(port, over))
        for _ in range(100):
            await client.send(pings)
        async with connected(port) as other:  # what was sent is being parsed before this is answered
            await other.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await other.answer())[0] == 200
        over.set()
        await waiting
        assert psutil.Process().memory_info().rss - before < 16_000_000


async def test_tiny_frames_do_not_delay_other_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two slices of what one connection sent, the others have their turn."""
    parsed_in_turn: Counter[int] = Counter()
    turn = 0
    parse = WebSocketConnection.parse_slice

    def counted(self: WebSocketConnection, data: bytes) -> int:
        frames = parse(self, data)
        parsed_in_turn[turn] += frames
        return frames

    monkeypatch.setattr(WebSocketConnection, "parse_slice", counted)

    async def count_turns() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        counting = asyncio.create_task(count_turns())
        await upgrade(client)
        await client.send(frame(9, b"") * 40_000 + frame(9, b"last"))
        while (await received(client))[1] != b"last":
            pass
        counting.cancel()
    # At first it is not known how small they are; and a slice of half a kilobyte has 85 of these.
    assert sorted(parsed_in_turn.values())[-2] <= 200
    assert max(parsed_in_turn.values()) <= 1_500


async def test_a_long_token_opens_a_websocket(tmp_path: Path) -> None:
    async with serving(tmp_path, mirror) as (port, _):
        for size in (8_192, 20_000, 60_000):
            async with connected(port) as client:
                await upgrade(client, "/live/ws?token=" + "a" * size, *(f"X-{number}: a" for number in range(150)))
                await client.send(frame(1, b"hello"))
                assert await received(client) == (1, b"5")
        async with connected(port) as client:
            await client.send(HANDSHAKE.format("/live/ws?token=" + "a" * 66_000, "").encode())
            assert await client.problem() == (431, "head_too_large")


async def test_a_handshake_that_can_not_be_read_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path, mirror) as (port, _):
        for wrong in ("X-Folded: a\r\n\tb", "X-A: a\x01"):
            async with connected(port) as client:
                await client.send(HANDSHAKE.format("/live/ws", f"{wrong}\r\n").encode())
                status, _, body = await client.answer()
                assert status == 400
                assert json.loads(body)["code"] in {"bad_handshake", "bad_http"}
                assert await client.ended()


async def test_who_sends_is_alive_whether_pings_are_answered_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_PING_SECONDS", 0.3)
    async with serving(tmp_path, mirror) as (port, _):
        async with connected(port) as client:
            await upgrade(client)
            for _ in range(20):
                await client.send(frame(1, b"alive"))
                await asyncio.sleep(0.1)
            opcodes = [(await received(client, pings=True))[0] for _ in range(20)]
            assert 8 not in opcodes
            assert 9 in opcodes
        async with connected(port) as client:
            await upgrade(client)
            assert (await closed(client))[0] == 1011


async def test_what_follows_a_mistake_is_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "DRAINED_BYTES", 1_000_000)
    monkeypatch.setattr(websocket_connection, "_LINGER_SECONDS", 60.0)
    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        await upgrade(client)
        await client.send(frame(1, b"\xff") + frame(3, b""))
        with pytest.raises(ConnectionError):
            await client.send(bytes(100_000_000))


async def test_text_that_is_not_utf_8_closes_with_1007(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, mirror) as (port, _), connected(port) as client:
        await upgrade(client)
        await client.send(frame(1, b"\xff\xfe"))
        assert await closed(client) == (1007, "the text is not UTF-8")
    assert not [record for record in caplog.records if record.exc_info]
