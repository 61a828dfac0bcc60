"""Messages that pass the queue: those of a camera come to its endpoint in order, whole, and as they would otherwise;
those that are written to a viewer end with the connection."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from stagedoor.api.live.frame_sink import sink_of
from stagedoor.api.live.raw_writer import RawWriter, pipe_of
from stagedoor.app import websocket_connection
from stagedoor.app.connection_limits import ConnectionLimits
from stagedoor.app.websocket_connection import WebSocketConnection
from tests.app.test_http_bounds import connected, serving
from tests.app.test_websocket_bounds import HANDSHAKE, closed, frame, received, slowest_answer, upgrade

_LIMITS = ConnectionLimits(65_536, 10, 10, 10, 100)


class _Transport(asyncio.Transport):
    """One that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.paused = self.ended = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.ended

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def _connection(app: Any, path: str) -> tuple[WebSocketConnection, _Transport]:
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws_per_message_deflate=False, ws_ping_interval=None)
    config.load()
    connection = WebSocketConnection(config, ServerState(), {}, limits=_LIMITS)
    transport = _Transport()
    connection.connection_made(transport)
    connection.data_received(HANDSHAKE.format(path, "").encode())
    return connection, transport


async def _outcome(pieces: list[bytes], *, at_the_connection: bool) -> tuple[list[Any], bytes, bool]:
    """What the endpoint got, what the client got, and whether the connection ended."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if at_the_connection:
            sink_of(scope).take = lambda data: got.append(bytes(data))
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes")
            got.append(message["text"] if data is None else data)
        got.append((message["code"], message.get("reason")))

    connection, transport = _connection(app, "/ingest/ws")
    for piece in (b"", *pieces):
        if transport.ended:
            break
        if piece:
            connection.data_received(piece)
        for _ in range(20):
            await asyncio.sleep(0)
        while transport.paused and not transport.ended:  # noqa: ASYNC110 - a flag, and no event for it
            await asyncio.sleep(0)
    ended = transport.ended
    transport.ended = True
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    return got, transport.written.partition(b"\r\n\r\n")[2], ended


def _client_frame(opcode: Opcode, data: bytes, fin: bool, rsv1: bool = False) -> bytes:
    return Frame(opcode, data, fin=fin, rsv1=rsv1).serialize(mask=True)


_SIZES = st.sampled_from([0, 1, 124, 125, 126, 127, 200, 65_535, 65_536, 70_000])


def _whole(opcode: Opcode, data: bytes) -> list[bytes]:
    return [_client_frame(opcode, data, fin=True)]


_MESSAGES = st.builds(_whole, st.just(Opcode.BINARY), _SIZES.map(os.urandom))
_TEXTS = st.builds(_whole, st.just(Opcode.TEXT), _SIZES.map(lambda size: b"t" * size))
_CONTROLS = st.builds(_whole, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


def _fragments(opcode: Opcode, sizes: list[int], pinged: bool) -> list[bytes]:
    between = [_client_frame(Opcode.PING, b"between", fin=True)] * pinged
    frames = [_client_frame(opcode, b"b" * sizes[0], fin=False)]
    for size in sizes[1:]:
        frames += [*between, _client_frame(Opcode.CONT, b"c" * size, fin=False)]
    return [*frames, *between, _client_frame(Opcode.CONT, b"", fin=True)]


_FRAGMENTED = st.builds(
    _fragments, st.sampled_from([Opcode.BINARY, Opcode.TEXT]), st.lists(_SIZES, min_size=1, max_size=3), st.booleans()
)
_WRONG = [
    [b"\x82\x05hello"],  # not masked
    [b"\x82\x7e"],
    [b"\x83\x80" + bytes(4)],  # an opcode that is reserved
    [b"\xc2\x81" + bytes(5)],  # compressed
    [b"\x80\x81" + bytes(5)],  # a fragment of nothing
    [b"\x89\xfe\x00\x7e" + bytes(4 + 126)],  # a ping that is too long
    [b"\x09\x80" + bytes(4)],  # a ping in fragments
    [b"\x02\x81" + bytes(5), b"\x82\x81" + bytes(5)],  # a message inside of another
    [b"\x82\xff" + (8 * 1024 * 1024 + 1).to_bytes(8, "big") + bytes(4), bytes(100)],  # too large
    [b"\x82\xff" + b"\xff" * 8 + bytes(4), bytes(100)],
    [b"\x81\x81" + bytes(4) + b"\xff"],  # not UTF-8
    [b"\x88\x82" + bytes(4) + b"\x03\xe8"],  # a close
    [b"\x88\x80" + bytes(4)],
    [b"\x88\x81" + bytes(4) + b"\x03"],  # one that is cut off
]
_ANY = st.one_of(_MESSAGES, _MESSAGES, _TEXTS, _CONTROLS, _FRAGMENTED)


def _split(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[begin:end] for begin, end in pairwise(places)]


@given(
    st.lists(_ANY, max_size=8),
    st.sampled_from([[], *_WRONG]),
    st.lists(_ANY, max_size=2),
    st.lists(st.integers(0, 1 << 20)),
)
def test_messages_come_as_they_would_otherwise_however_the_network_divides_them(
    messages: list[list[bytes]], wrong: list[bytes], after: list[list[bytes]], at: list[int]
) -> None:
    data = b"".join(one for frames in [*messages, wrong, *after] for one in frames)
    pieces = _split(data, at)
    expected = asyncio.run(_outcome([data], at_the_connection=False))
    assert asyncio.run(_outcome(pieces, at_the_connection=True)) == expected


@pytest.mark.parametrize("wrong", _WRONG)
def test_what_follows_a_mistake_or_a_close_is_taken_no_more(wrong: list[bytes]) -> None:
    message = _whole(Opcode.BINARY, b"message")
    data = b"".join([*message, *wrong, *message])
    expected = asyncio.run(_outcome([data], at_the_connection=False))
    assert expected[0][:-1] == [b"message"]
    for pieces in ([data], _split(data, list(range(len(data)))), [*message, *wrong, *message]):
        assert asyncio.run(_outcome(pieces, at_the_connection=True)) == expected


@pytest.mark.parametrize("size", [0, 3, 125, 126, 65_536])
def test_a_message_that_comes_byte_by_byte_is_taken(size: int) -> None:
    data = os.urandom(size)
    sent = _client_frame(Opcode.BINARY, data, fin=True)
    pieces = [sent[at : at + 1] for at in range(min(len(sent), 200))] + [sent[200:]] * (len(sent) > 200)
    got, _, ended = asyncio.run(_outcome([*pieces, *pieces], at_the_connection=True))
    assert got[:-1] == [data, data]
    assert not ended


@pytest.mark.anyio
@pytest.mark.parametrize("ending", [b"\x82\x05hello", b"\x88\x82" + bytes(4) + b"\x03\xe8"])
async def test_no_message_of_a_viewer_follows_a_close(ending: bytes) -> None:
    writers: list[RawWriter | None] = []
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        writers.append(pipe_of(scope))
        await ended.wait()

    connection, transport = _connection(app, "/live/ws")
    for _ in range(5):
        await asyncio.sleep(0)
    (writer,) = writers
    assert writer is not None
    transport.written = b""
    message = Frame(Opcode.BINARY, b"frame").serialize(mask=False)
    writer.write(message)
    connection.data_received(ending)
    closing = transport.written.removeprefix(message)
    assert closing[0] == 0x88
    transport.ended = False  # it lingers
    writer.write(message)
    assert transport.written == message + closing
    ended.set()
    connection.connection_lost(None)


async def _sinking(scope: Any, receive: Any, send: Any) -> None:
    """Counts the messages, and answers the one that is `last`; answers HTTP too."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    count = 0

    def take(data: bytes) -> None:
        nonlocal count
        count += 1

    sink_of(scope).take = take
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(count)})


@pytest.mark.anyio
async def test_tiny_messages_do_not_delay_other_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other connections have their turn after 64 of them."""
    taken_in_turn = [0]
    take = WebSocketConnection._take_frame  # pyright: ignore[reportPrivateUsage]

    def counted(self: WebSocketConnection, data: bytes, at: int) -> int:
        taken_in_turn[-1] += 1
        return take(self, data, at)

    async def count_turns() -> None:
        while True:
            await asyncio.sleep(0)
            taken_in_turn.append(0)

    monkeypatch.setattr(WebSocketConnection, "_take_frame", counted)
    async with serving(tmp_path, _sinking) as (port, _), connected(port) as client:
        counting = asyncio.create_task(count_turns())
        over = asyncio.Event()
        waiting = asyncio.create_task(slowest_answer(port, over))
        await upgrade(client, "/ingest/ws")
        await client.send(frame(2, b"") * 20_000 + frame(9, b"") * 20_000 + frame(1, b"last"))
        while (got := await received(client))[0] != 1:
            pass
        assert got[1] == b"20000"
        over.set()
        await waiting
        counting.cancel()
    # A read that comes in the same turn as what is left of the one before has a turn of its own.
    assert max(taken_in_turn) <= 3 * websocket_connection._FRAMES_IN_A_TURN  # pyright: ignore[reportPrivateUsage]


@pytest.mark.anyio
async def test_a_frame_that_is_too_large_ends_the_connection_when_its_head_has_come(tmp_path: Path) -> None:
    async with serving(tmp_path, _sinking) as (port, _), connected(port) as client:
        await upgrade(client, "/ingest/ws")
        await client.send(b"\x82\xff" + (8 * 1024 * 1024 + 1).to_bytes(8, "big") + bytes(4))
        assert (await closed(client))[0] == 4413
