"""The worker of one stream, seen from the main process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

import msgspec
import structlog

from stagedoor.processes.child import Child
from stagedoor.streams.media.protocol import MESSAGE_BYTES, Command, Report, Started
from stagedoor.streams.media.spawner import Spawner

_log = structlog.get_logger()


class Worker:
    """A worker process.

    Attributes:
        pid: Its process id, once it has reported it.
        lost: Set when the process has ended or is of no use any more.
    """

    def __init__(self, control: socket.socket, on_report: Callable[[Report], None]) -> None:
        self._control = control
        self._on_report = on_report
        self._process: Child | None = None
        self.pid: int | None = None
        self.lost = asyncio.Event()
        asyncio.get_running_loop().add_reader(control.fileno(), self._read)

    @classmethod
    async def start(cls, spawner: Spawner, media: socket.socket | None, on_report: Callable[[Report], None]) -> Worker:
        """Start a worker.

        Raises:
            OSError: It cannot be started.
        """
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            await spawner.fork(*([its] if media is None else [its, media]))
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        ours.setblocking(False)
        return cls(ours, on_report)

    def send(self, command: Command, *passed: socket.socket) -> None:
        """Send a command, and sockets with it; a worker that takes none is ended."""
        try:
            socket.send_fds(self._control, [msgspec.json.encode(command)], [one.fileno() for one in passed])
        except OSError:
            self.end()

    def end(self) -> None:
        """End it at once; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)
            self._process.close()
            self._process = None
        if not self.lost.is_set():
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
            self.lost.set()

    def _read(self) -> None:
        try:
            message = self._control.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self.end()
            return
        try:
            report: Report = msgspec.json.decode(message, type=Report)
        except msgspec.MsgspecError:
            _log.exception("media_worker_report_invalid", pid=self.pid)
            self.end()
            return
        if isinstance(report, Started):
            self.pid = report.pid
            with contextlib.suppress(ProcessLookupError):
                self._process = Child.watch(report.pid)
            return
        self._on_report(report)
