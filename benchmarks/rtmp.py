"""CPU of taking RTMP streams at 720p25 and 2 Mbit/s, up to whole FLV tags, beside only reading the same bytes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Final

import psutil
from tests.support.rtmp_encoder import AAC_CONFIG, AVC_CONFIG, HANDSHAKE, ChunkEncoder, opening

from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.plan import Plan
from benchmarks.support.processes import cpu_seconds
from benchmarks.support.report import Line, median, number, say
from stagedoor.sources.rtmp.message import AUDIO, SET_CHUNK_SIZE, VIDEO, Message

CHUNK_SIZES: Final = (128, 4_096, 60_000)
STREAMS: Final = 20
FPS: Final = 25
KEY_FRAME: Final = 40_000
FRAME: Final = 8_600
SOUND: Final = 340
_STARTED: Final = b"NetStream.Publish.Start"


def run(plan: Plan) -> list[Line]:
    """The figures."""
    seconds, rounds = (4, 1) if plan.quick else (10, 3)
    lines: list[Line] = []
    for size in CHUNK_SIZES:
        shares: dict[str, list[float]] = {"rtmp": [], "bytes": []}
        for _ in range(rounds):
            for kind, found in shares.items():
                found.append(_share(kind, size, seconds))
        ours, theirs = median(shares["rtmp"]), median(shares["bytes"])
        say(f"  chunks of {size}: {number(ours)} % of a core for a stream, reading alone {number(theirs)} %")
        lines.append(
            Line(f"RTMP in, chunks of {size}, a stream", ours, "% of a core", "reading the same bytes", theirs)
        )
    return lines


def _share(kind: str, chunk_size: int, seconds: int) -> float:
    """The share of a core that one stream takes, in percent."""
    with on_core(SERVER):
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.rivals.rtmp_sink", kind], stdout=subprocess.PIPE, text=True
        )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        before, after = asyncio.run(
            _push(port, psutil.Process(server.pid), chunk_size, seconds, answers=kind == "rtmp")
        )
    finally:
        server.kill()
        server.wait()
    return (after - before) / seconds / STREAMS * 100


async def _push(
    port: int, server: psutil.Process, chunk_size: int, seconds: int, *, answers: bool
) -> tuple[float, float]:
    """Push from all encoders at their pace; the server's CPU seconds before and after."""
    begin, pieces = _session(chunk_size, seconds)
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(STREAMS)]
    writers = [writer for _, writer in connections]
    for reader, writer in connections:
        writer.write(begin)
        await reader.readuntil(_STARTED if answers else b"ready")
    before = cpu_seconds([server])
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number_, piece in enumerate(pieces):
        for at, writer in enumerate(writers):
            await asyncio.sleep(max(0.0, began + (number_ + at / STREAMS) / FPS - loop.time()))
            writer.write(piece)
    await asyncio.sleep(0.2)
    after = cpu_seconds([server])
    for writer in writers:
        writer.close()
    return before, after


def _session(chunk_size: int, seconds: int) -> tuple[bytes, list[bytes]]:
    """What an encoder sends up to its stream, and then for each picture."""
    encoder = ChunkEncoder()
    begin = HANDSHAKE + encoder.write(Message(SET_CHUNK_SIZE, 0, 0, chunk_size.to_bytes(4, "big")), 2)
    begin += b"".join(encoder.write(message, 3) for message in opening("key"))
    begin += encoder.write(Message(VIDEO, 1, 0, AVC_CONFIG), 6) + encoder.write(Message(AUDIO, 1, 0, AAC_CONFIG), 4)
    pieces: list[bytes] = []
    for at in range(seconds * FPS):
        key = at % (2 * FPS) == 0
        picture = bytes((0x17 if key else 0x27, 1, 0, 0, 0)) + bytes(KEY_FRAME if key else FRAME)
        piece = encoder.write(Message(VIDEO, 1, at * 40, picture), 6)
        for sound in range(2):
            piece += encoder.write(Message(AUDIO, 1, at * 40 + sound * 20, b"\xaf\x01" + bytes(SOUND)), 4)
        pieces.append(piece)
    return begin, pieces
