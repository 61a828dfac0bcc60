"""The load: many kept-alive connections that each send the next request when their answer has come, or when it is due.

A program of its own, so that it has a core of its own. It reads a specification from the file that it is given, says
`ready` when every connection stands, waits for a line, and prints what it measured as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections import Counter, deque
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

_LONGEST_SECONDS: Final = 300.0
_LENGTH: Final = b"content-length:"


class Spec(msgspec.Struct):
    """What to send. Request number `i` is `requests[i % len(requests)]`.

    Attributes:
        per_second: When given, request number `i` is due `i / per_second` after the first, whatever became of those
            before it, and its delay counts from then: a server that stands still does not hide behind fewer requests.
    """

    port: int
    connections: int
    total: int
    requests: list[bytes]
    per_second: float = 0.0


class Measured(msgspec.Struct):
    """What came of it.

    Attributes:
        statuses: How many answers had which status; `lost` counts requests whose connection ended before the answer.
        seconds: From the first request to the last answer.
        p50_ms: Half of the answers came within this time.
        p99_ms: All but one in a hundred did.
        busy: Share of the time for which this program itself was computing; near 1 it is what limits.
    """

    statuses: dict[str, int]
    seconds: float
    p50_ms: float
    p99_ms: float
    busy: float

    @property
    def rate(self) -> float:
        """Answers a second, whatever they say."""
        return sum(self.statuses.values()) / self.seconds


class _Run:
    def __init__(self, spec: Spec) -> None:
        self._requests = spec.requests
        self._total = spec.total
        self._taken = 0
        self._answered = 0
        self._per_second = spec.per_second
        self._due: deque[float] = deque()
        self.idle: deque[_Connection] = deque()
        self.statuses: Counter[str] = Counter()
        self.delays = array("d")
        self.done = asyncio.get_running_loop().create_future()

    def take(self) -> tuple[bytes, float] | None:
        """The next request, and since when it waits to be sent."""
        if self._taken == self._total or (self._per_second and not self._due):
            return None
        self._taken += 1
        request = self._requests[(self._taken - 1) % len(self._requests)]
        return request, self._due.popleft() if self._due else time.perf_counter()

    async def pace(self) -> None:
        """Let requests become due."""
        began = time.perf_counter()
        for number in range(self._total):
            due = began + number / self._per_second
            await asyncio.sleep(due - time.perf_counter())
            self._due.append(due)
            if self.idle:
                self.idle.popleft().next()

    def answered(self, status: str, delay: float) -> None:
        self.statuses[status] += 1
        self.delays.append(delay)
        self._answered += 1
        if self._answered == self._total and not self.done.done():
            self.done.set_result(None)


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self._waiting = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def next(self) -> None:
        taken = self._run.take()
        self._waiting = taken is not None
        if taken is None:
            self._run.idle.append(self)
        elif self._transport is not None:
            request, self._sent = taken
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + _length(data[:end]):
            self._buffer = data
            return
        self._buffer = b""
        self._run.answered(data[9:12].decode(), time.perf_counter() - self._sent)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._run.answered("lost", time.perf_counter() - self._sent)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    if at < 0:
        return 0
    return int(lowered[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered values are."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _main(spec: Spec) -> Measured:
    loop = asyncio.get_running_loop()
    run = _Run(spec)
    connections = [
        (await loop.create_connection(lambda: _Connection(run), "127.0.0.1", spec.port))[1]
        for _ in range(spec.connections)
    ]
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began, used = time.perf_counter(), time.process_time()
    for connection in connections:
        connection.next()
    async with asyncio.timeout(_LONGEST_SECONDS):
        if spec.per_second:
            await run.pace()
        await run.done
    seconds, busy = time.perf_counter() - began, time.process_time() - used
    delays = sorted(run.delays)
    return Measured(
        statuses=dict(run.statuses),
        seconds=seconds,
        p50_ms=percentile(delays, 0.5) * 1000,
        p99_ms=percentile(delays, 0.99) * 1000,
        busy=busy / seconds,
    )


if __name__ == "__main__":
    given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Spec)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_main(given))) + b"\n")
