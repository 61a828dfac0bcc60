"""The transcriber's process as the product sees it: started when the first room is to be transcribed, started again
when it ended, and shared by all rooms of this node."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import structlog

from stagedoor.kernel.errors import StagedoorError
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.piped import Piped, start_piped
from stagedoor.transcripts.protocol import Left, Order, Report, Subscribe, Unsubscribe

_log = structlog.get_logger()
_LINE_LIMIT_BYTES: Final = 1 << 20
_WAITING_REPORTS: Final = 1_000
"""Reports that may wait for one room's consumer; then the process waits."""
_LEAVING_SECONDS: Final = 5.0
_ROOMS_OF_A_PROCESS: Final = 200
"""LiveKit's client keeps something of each room that it was in: a quarter of a megabyte (seen with 1.2.0)."""
_ENDED: Final = "The transcriber's process ended."


class TranscriberLost(StagedoorError):
    """The transcriber's process ended."""


class Transcriber:
    """Reads the text streams of rooms."""

    def __init__(self) -> None:
        self._process: Piped | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._rooms: dict[str, asyncio.Queue[Report | None]] = {}
        self._subscribed = 0

    @property
    def pid(self) -> int | None:
        """The id of the process; `None` when there is none."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def subscribe(self, order: Subscribe) -> AsyncGenerator[AsyncIterator[Report]]:
        """What is reported of a room, until it is left; to leave the block is to leave the room.

        Raises:
            TranscriberLost: By the iterator, when the process ended: a caller that goes on subscribes again.
        """
        reports: asyncio.Queue[Report | None] = asyncio.Queue(_WAITING_REPORTS)
        if self._subscribed >= _ROOMS_OF_A_PROCESS and not self._rooms:
            await self.close()  # another one begins with nothing
        await self._start()
        self._subscribed += 1
        self._rooms[order.subscription] = reports
        left = False

        async def until_left() -> AsyncIterator[Report]:
            nonlocal left
            while not left:
                report = await reports.get()
                if report is None:
                    raise TranscriberLost(_ENDED)
                left = isinstance(report, Left)
                yield report

        try:
            await self._send(order)
            yield until_left()
        finally:
            if not left and self._process is not None:
                with contextlib.suppress(TranscriberLost):
                    await self._send(Unsubscribe(order.subscription))
            if self._rooms.get(order.subscription) is reports:
                del self._rooms[order.subscription]

    async def close(self) -> None:
        """End the process."""
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        await process.end(_LEAVING_SECONDS)
        await asyncio.wait([reading])

    async def _start(self) -> None:
        """Start the process, unless it runs."""
        async with self._starting:
            if self._process is not None:
                return
            self._process = await start_piped(
                [sys.executable, "-m", "stagedoor.transcripts.child"],
                environment_of_child(RUST_LOG="error"),
                line_limit=_LINE_LIMIT_BYTES,
            )
            self._subscribed = 0
            self._reading = asyncio.create_task(self._read(self._process), name="transcriber")

    async def _send(self, order: Order) -> None:
        process = self._process
        if process is None:
            raise TranscriberLost(_ENDED)
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise TranscriberLost(_ENDED) from None

    async def _read(self, process: Piped) -> None:
        """Give each report to its room, until the process ends."""
        try:
            async for line in process.stdout:
                report = msgspec.json.decode(line, type=Report)
                reports = self._rooms.get(report.subscription)
                if reports is not None:
                    await reports.put(report)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error("transcriber_output_invalid", error=str(error))
            process.kill()
        finally:
            # Its own rooms, and not those of the process that may be started while this one is waited for.
            self._process, lost, self._rooms = None, self._rooms, {}
            code = await process.child.wait()
            process.close()
            if lost:
                _log.warning("transcriber_ended", exit_code=code, rooms=len(lost))
            for reports in lost.values():
                await reports.put(None)
