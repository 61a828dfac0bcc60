"""The scribe's process as the product sees it: started when the first room is to be listened to, started again when it
ended, and shared by all rooms of this node."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import structlog

from stagedoor.kernel.errors import StagedoorError
from stagedoor.processes.piped import Piped, start_piped
from stagedoor.transcripts.protocol import Attend, Gone, Leave, Order, Report

_log = structlog.get_logger()
_LINE_LIMIT_BYTES: Final = 1 << 20
_WAITING: Final = 1_000
"""Reports that may wait for one room's consumer; then the scribe waits."""
_LEAVING_SECONDS: Final = 5.0


_ROOMS_OF_A_PROCESS: Final = 200
"""LiveKit's client keeps something of each room that it was in: a quarter of a megabyte (seen with 1.2.0)."""


class TranscriberLost(StagedoorError):
    """The scribe's process ended."""


class Transcriber:
    """Listens to rooms."""

    def __init__(self) -> None:
        self._process: Piped | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._rooms: dict[str, asyncio.Queue[Report | None]] = {}
        self._attended = 0

    @property
    def pid(self) -> int | None:
        """The process that listens; `None` when there is none."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def attending(self, order: Attend) -> AsyncGenerator[AsyncIterator[Report]]:
        """What is heard in a room, until it is left; to leave the block is to leave the room.

        Raises:
            ScribeLost: By the iterator, when the process ended: whoever wants to go on listening asks anew.
        """
        reports: asyncio.Queue[Report | None] = asyncio.Queue(_WAITING)
        if self._attended >= _ROOMS_OF_A_PROCESS and not self._rooms:
            await self.close()  # another one begins with nothing
        await self._running()
        self._attended += 1
        self._rooms[order.attendance] = reports
        gone = False

        async def told() -> AsyncIterator[Report]:
            nonlocal gone
            while not gone:
                report = await reports.get()
                if report is None:
                    raise TranscriberLost("The process that listens ended.")
                gone = isinstance(report, Gone)
                yield report

        try:
            await self._say(order)
            yield told()
        finally:
            if not gone and self._process is not None:
                with contextlib.suppress(TranscriberLost):
                    await self._say(Leave(order.attendance))
            if self._rooms.get(order.attendance) is reports:
                del self._rooms[order.attendance]

    async def close(self) -> None:
        """End the process."""
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        await process.end(_LEAVING_SECONDS)
        await asyncio.wait([reading])

    async def _running(self) -> None:
        async with self._starting:
            if self._process is not None:
                return
            self._process = await start_piped(
                [sys.executable, "-m", "stagedoor.transcripts.child"],
                os.environ | {"RUST_LOG": "error"},
                line_limit=_LINE_LIMIT_BYTES,
            )
            self._attended = 0
            self._reading = asyncio.create_task(self._read(self._process), name="scribe")

    async def _say(self, order: Order) -> None:
        process = self._process
        if process is None:
            raise TranscriberLost("The process that listens ended.")
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise TranscriberLost("The process that listens ended.") from None

    async def _read(self, process: Piped) -> None:
        try:
            async for line in process.stdout:
                report = msgspec.json.decode(line, type=Report)
                reports = self._rooms.get(report.attendance)
                if reports is not None:
                    await reports.put(report)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error("the scribe said something that can't be read; it is ended", error=str(error))
            process.kill()
        finally:
            # Its own rooms, and not those of the process that may be started while this one is waited for.
            self._process, lost, self._rooms = None, self._rooms, {}
            code = await process.child.wait()
            process.close()
            if lost:
                _log.warning("the scribe ended", exit_code=code, rooms=len(lost))
            for reports in lost.values():
                await reports.put(None)
