"""The process of one bridge as the product sees it: started, fed with the newest frame, ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

import msgspec
import structlog

from stagedoor.outputs.webrtc.metrics import BRIDGE_FRAMES, BRIDGES
from stagedoor.outputs.webrtc.protocol import LARGEST_PIXELS, Gone, Joined, Order, Published, Report, Took, prefix
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.piped import start_piped
from stagedoor.streams import hub
from stagedoor.streams.hub import Slot, Viewer

_log = structlog.get_logger()
_LINE_LIMIT_BYTES: Final = 1 << 20
_LEAVING_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 30.0
"""A process that takes longer over a frame, or to join, hangs."""


class Bridge:
    """One stay of a camera in its LiveKit room.

    Attributes:
        room_sid: The life of the room that was joined, `None` before. LiveKit's client does not tell when LiveKit was
            started again and the bridge is in the next one.
        published: Whether the camera's track is in the room now.
        pid: The process; `None` when there is none.
    """

    def __init__(self, order: Order, slot: Slot) -> None:
        self._order = order
        self._slot = slot
        self._took = asyncio.Event()
        self.room_sid: str | None = None
        self.published = False
        self.pid: int | None = None

    async def run(self) -> str:
        """Stay until the room or the process ends, and return why; to be cancelled to leave the room.

        Raises:
            OSError: The process can't be started.
        """
        process = await start_piped(
            [sys.executable, "-m", "stagedoor.outputs.webrtc.child"],
            environment_of_child(RUST_LOG="error"),
            line_limit=_LINE_LIMIT_BYTES,
        )
        self.pid = process.pid
        listening = asyncio.create_task(self._listen(process.stdout), name=f"hear bridge {process.pid}")
        feeding = asyncio.create_task(self._feed(process.stdin), name=f"feed bridge {process.pid}")
        try:
            await asyncio.wait([listening, feeding], return_when=asyncio.FIRST_COMPLETED)
            if not listening.done() and not feeding.result():
                return f"the process did not answer for {_ANSWER_SECONDS:g} s"
            return await listening or f"the process ended with {await process.child.wait()}"
        finally:
            listening.cancel()
            feeding.cancel()
            self._is_published(now=False)
            await process.end(_LEAVING_SECONDS)
            self.pid = None
            await asyncio.wait([listening, feeding])

    async def _listen(self, reports: asyncio.StreamReader) -> str | None:
        """Until the end; why the room was left, when the process said so."""
        try:
            async for line in reports:
                report: Report = msgspec.json.decode(line, type=Report)
                match report:
                    case Gone():
                        return report.reason
                    case Joined():
                        self.room_sid = report.room_sid
                    case Published():
                        self._is_published(now=True)
                        continue
                    case Took():
                        BRIDGE_FRAMES.labels(report.outcome).inc()
                self._took.set()
        except (msgspec.MsgspecError, ValueError) as error:
            return f"the process said something that can't be read: {error}"
        return None

    async def _feed(self, frames: asyncio.StreamWriter) -> bool:
        """Until the process ends, or does not answer; whether it ended."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, hub.Gone), self._slot.view() as viewer:
            message = msgspec.json.encode(self._order)
            while await self._answers(frames, message):
                message = await _fit(viewer)
            return False
        return True

    async def _answers(self, process: asyncio.StreamWriter, message: bytes) -> bool:
        """Say something and wait until it is dealt with; whether it was."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                process.write(prefix(message))
                process.write(message)
                await process.drain()
                await self._took.wait()
        except TimeoutError:
            return False
        self._took.clear()
        return True

    def _is_published(self, *, now: bool) -> None:
        if now != self.published:
            BRIDGES.inc(1 if now else -1)
            self.published = now


async def _fit(viewer: Viewer) -> bytes:
    """The newest frame that isn't too large."""
    while True:
        frame = await viewer.next()
        BRIDGE_FRAMES.labels("late").inc(viewer.dropped)
        viewer.dropped = 0
        if frame.size.width * frame.size.height <= LARGEST_PIXELS:
            return frame.data
        BRIDGE_FRAMES.labels("too_large").inc()
