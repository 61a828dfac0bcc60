"""The parent's side of one bridge: starts the child process, sends it the newest frames, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

import msgspec
import structlog

from stagedoor.outputs.webrtc.metrics import BRIDGE_FRAMES, BRIDGES
from stagedoor.outputs.webrtc.protocol import LARGEST_PIXELS, Ack, EndOfStream, Joined, Order, Published, Report, prefix
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.piped import start_piped
from stagedoor.streams import hub
from stagedoor.streams.hub import Slot, Viewer

_log = structlog.get_logger()
_LINE_LIMIT_BYTES: Final = 1 << 20
_LEAVING_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 30.0
"""A child process that needs longer for a frame, or to join, is taken to hang."""


class Bridge:
    """One session of a camera in its LiveKit room, held by a child process.

    Attributes:
        room_sid: The SID of the room that was joined, `None` before. LiveKit's client does not report that LiveKit was
            restarted and the bridge is in a new room of the same name.
        published: Whether the camera's track is in the room now.
        pid: The child's process id; `None` when it does not run.
    """

    def __init__(self, order: Order, slot: Slot) -> None:
        self._order = order
        self._slot = slot
        self._acknowledged = asyncio.Event()
        self.room_sid: str | None = None
        self.published = False
        self.pid: int | None = None

    async def run(self) -> str:
        """Bridge the camera until the room or the child process ends, and return why. Cancel to leave the room.

        Raises:
            OSError: The child process cannot be started.
        """
        process = await start_piped(
            [sys.executable, "-m", "stagedoor.outputs.webrtc.child"],
            environment_of_child(RUST_LOG="error"),
            line_limit=_LINE_LIMIT_BYTES,
        )
        self.pid = process.pid
        listening = asyncio.create_task(self._listen(process.stdout), name=f"read bridge {process.pid}")
        feeding = asyncio.create_task(self._feed(process.stdin), name=f"feed bridge {process.pid}")
        try:
            await asyncio.wait([listening, feeding], return_when=asyncio.FIRST_COMPLETED)
            if not listening.done() and not feeding.result():
                return f"the process did not answer for {_ANSWER_SECONDS:g} s"
            return await listening or f"the process ended with {await process.child.wait()}"
        finally:
            listening.cancel()
            feeding.cancel()
            self._set_published(now=False)
            await process.end(_LEAVING_SECONDS)
            self.pid = None
            await asyncio.wait([listening, feeding])

    async def _listen(self, reports: asyncio.StreamReader) -> str | None:
        """Handle the child's reports until it ends; returns why the room was left, when the child reported it."""
        try:
            async for line in reports:
                report: Report = msgspec.json.decode(line, type=Report)
                match report:
                    case EndOfStream():
                        return report.reason
                    case Joined():
                        self.room_sid = report.room_sid
                    case Published():
                        self._set_published(now=True)
                        continue
                    case Ack():
                        BRIDGE_FRAMES.labels(report.outcome).inc()
                self._acknowledged.set()
        except (msgspec.MsgspecError, ValueError) as error:
            return f"the process sent a report that cannot be decoded: {error}"
        return None

    async def _feed(self, frames: asyncio.StreamWriter) -> bool:
        """Send frames until the stream or the child ends (true), or the child does not acknowledge one (false)."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, hub.EndOfStream), self._slot.view() as viewer:
            message = msgspec.json.encode(self._order)
            while await self._send(frames, message):
                message = await _fit(viewer)
            return False
        return True

    async def _send(self, process: asyncio.StreamWriter, message: bytes) -> bool:
        """Send a message and wait for its acknowledgement; returns whether one came in time."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                process.write(prefix(message))
                process.write(message)
                await process.drain()
                await self._acknowledged.wait()
        except TimeoutError:
            return False
        self._acknowledged.clear()
        return True

    def _set_published(self, *, now: bool) -> None:
        if now != self.published:
            BRIDGES.inc(1 if now else -1)
            self.published = now


async def _fit(viewer: Viewer) -> bytes:
    """The newest frame that is not too large."""
    while True:
        frame = await viewer.next()
        BRIDGE_FRAMES.labels("late").inc(viewer.dropped)
        viewer.dropped = 0
        if frame.size.width * frame.size.height <= LARGEST_PIXELS:
            return frame.data
        BRIDGE_FRAMES.labels("too_large").inc()
