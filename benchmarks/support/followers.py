"""A program that follows a live feed with many clients, sends webhooks at a steady pace, and times their arrival."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from benchmarks.support.generator import percentile

_MARK: Final = re.compile(rb'"subject":"mark-(\d+)"')
_LONGEST_SECONDS: Final = 60.0


class Following(msgspec.Struct):
    """Whom to follow and what to send; request number `i` is about the participant `mark-i`."""

    port: int
    token: str
    clients: int
    per_second: float
    requests: list[bytes]


class Followed(msgspec.Struct):
    """What came of it. Delays are from sending a webhook, and with `after` from its answer, to a client's receipt."""

    received: int
    p50_ms: float
    p99_ms: float
    after_p50_ms: float
    after_p99_ms: float
    busy: float


class _Arrivals:
    """Which event reached a client when, and whether that was the last of them."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.seen: list[tuple[int, float]] = []
        self.complete = asyncio.Event()

    def add(self, mark: int, at: float) -> None:
        self.seen.append((mark, at))
        if len(self.seen) == self._expected:
            self.complete.set()


class _Follower(asyncio.Protocol):
    """One client of the feed."""

    def __init__(self, request: bytes, arrivals: _Arrivals) -> None:
        self._request = request
        self._arrivals = arrivals
        self._rest = b""
        self.follows = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        whole, separator, self._rest = (self._rest + data).rpartition(b"\n\n")
        if separator and not self.follows.done():
            self.follows.set_result(None)
        for mark in _MARK.findall(whole):
            self._arrivals.add(int(mark), now)


class _Sender(asyncio.Protocol):
    """The one connection that webhooks go over."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self.answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self.answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self.answered.set_exception(RuntimeError(f"a webhook was answered {data[:40]!r}"))
        elif not self.answered.done():
            self.answered.set_result(time.perf_counter())


async def _main(spec: Following) -> Followed:
    loop = asyncio.get_running_loop()
    arrivals = _Arrivals(spec.clients * len(spec.requests))
    token = f"Authorization: Bearer {spec.token}\r\n" if spec.token else ""
    request = f"GET /api/v1/apps/live/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}\r\n".encode()
    for _ in range(spec.clients):
        _, follower = await loop.create_connection(lambda: _Follower(request, arrivals), "127.0.0.1", spec.port)
        async with asyncio.timeout(_LONGEST_SECONDS):
            await follower.follows
    _, sender = await loop.create_connection(_Sender, "127.0.0.1", spec.port)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began, used = time.perf_counter(), time.process_time()
    sent: list[float] = []
    answered: list[float] = []
    for number, webhook in enumerate(spec.requests):
        await asyncio.sleep(began + number / spec.per_second - time.perf_counter())
        sent.append(time.perf_counter())
        sender.send(webhook)
        answered.append(await sender.answered)
    with contextlib.suppress(TimeoutError):  # what did not come is missing in `received`
        async with asyncio.timeout(_LONGEST_SECONDS):
            await arrivals.complete.wait()
    seconds, busy = time.perf_counter() - began, time.process_time() - used
    delays = sorted(at - sent[mark] for mark, at in arrivals.seen) or [float("nan")]
    after = sorted(at - answered[mark] for mark, at in arrivals.seen) or [float("nan")]
    return Followed(
        received=len(arrivals.seen),
        p50_ms=percentile(delays, 0.5) * 1000,
        p99_ms=percentile(delays, 0.99) * 1000,
        after_p50_ms=percentile(after, 0.5) * 1000,
        after_p99_ms=percentile(after, 0.99) * 1000,
        busy=busy / seconds,
    )


if __name__ == "__main__":
    given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Following)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_main(given))) + b"\n")
