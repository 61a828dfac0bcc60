"""The load of many players of one room: each asks for the playlist with blocking reload, and for the newest part.

A program of its own, as `generator`. It says `ready` when each player has its connection, waits for a line, and prints
what it measured as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec
import uvloop

from benchmarks.support.generator import percentile

_LATE_SECONDS: Final = 30.0


class Spec(msgspec.Struct):
    """What players do.

    Attributes:
        video: The address of the media playlist, with a token; each player adds its name.
        seconds: How long they watch.
    """

    video: str
    players: int
    seconds: float


class Watched(msgspec.Struct):
    """What came of it.

    Attributes:
        playlists: Answers that had a new part.
        parts: Parts that were received.
        p50_ms: Between the first player that had a part's last byte and each other one, half were within this time.
        p99_ms: All but one in a hundred were.
        busy: Share of the time for which this program itself was computing.
    """

    playlists: int
    parts: int
    p50_ms: float
    p99_ms: float
    busy: float


class _Run:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.playlists = 0
        self.came: dict[bytes, array[float]] = {}
        self.until = 0.0

    async def player(self, name: int, begin: asyncio.Event, ready: asyncio.Semaphore) -> None:
        place = urlsplit(self.spec.video)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)

        async def get(target: str) -> bytes:
            writer.write(f"GET {target} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{target} was answered {head[9:12].decode()}: {body[:300].decode()}")
            return body

        query = f"{place.path}?{place.query}&viewer=player{name}"
        number, index, _ = _newest(await get(query))
        ready.release()
        await begin.wait()
        while time.perf_counter() < self.until:
            number, index, uri = _newest(await get(f"{query}&_HLS_msn={number}&_HLS_part={index}"))
            self.playlists += 1
            await get(urljoin(place.path, uri.decode()))
            self.came.setdefault(uri, array("d")).append(time.perf_counter())
        writer.close()


def _newest(playlist: bytes) -> tuple[int, int, bytes]:
    """What a player asks for next, by number and index, and the newest part."""
    number = int(playlist.partition(b"#EXT-X-MEDIA-SEQUENCE:")[2].partition(b"\n")[0])
    _, _, opened = playlist.rpartition(b"#EXTINF:")
    uri = playlist.rpartition(b"#EXT-X-PART:")[2].partition(b'URI="')[2].partition(b'"')[0]
    return number + playlist.count(b"#EXTINF:"), opened.count(b"#EXT-X-PART:"), uri


async def _main(spec: Spec) -> Watched:
    run, begin, ready = _Run(spec), asyncio.Event(), asyncio.Semaphore(0)
    async with asyncio.timeout(spec.seconds + 2 * _LATE_SECONDS), asyncio.TaskGroup() as tasks:
        for name in range(spec.players):
            tasks.create_task(run.player(name, begin, ready))
            await asyncio.sleep(0.002)
        for _ in range(spec.players):
            await ready.acquire()
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        began, used = time.perf_counter(), time.process_time()
        run.until = began + spec.seconds
        begin.set()
    busy = (time.process_time() - used) / (time.perf_counter() - began)
    # The first and the last part are those at which players begin and end one after the other.
    after = sorted(came - times[0] for times in list(run.came.values())[1:-1] for came in times)
    return Watched(
        playlists=run.playlists,
        parts=sum(len(times) for times in run.came.values()),
        p50_ms=percentile(after, 0.5) * 1000,
        p99_ms=percentile(after, 0.99) * 1000,
        busy=busy,
    )


if __name__ == "__main__":
    given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Spec)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_main(given))) + b"\n")
