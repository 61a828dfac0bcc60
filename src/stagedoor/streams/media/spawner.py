"""The process that forks media workers, seen from the main process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import Final

import structlog

from stagedoor.processes.child import Child
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.on_socket import start_on_socket
from stagedoor.streams.media.metrics import MEDIA_SPAWNER_RESTARTS

_log = structlog.get_logger()
_ENDING_SECONDS: Final = 3.0
_FORK: Final = b"fork"


class Spawner:
    """Starts the process when it is needed, and again when it has died; workers live on without it."""

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._child: Child | None = None
        self._requests: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._child.pid if self._child is not None and not self._child.ended else None

    async def prepare(self) -> socket.socket:
        """Have the process running; the socket for its requests.

        Raises:
            OSError: It cannot be started.
        """
        async with self._starting:
            if self._requests is not None and self.pid is not None:
                return self._requests
            if self._requests is not None:
                MEDIA_SPAWNER_RESTARTS.inc()
                _log.warning("media_spawner_lost")
                self._forget()
            argv = [sys.executable, "-m", "stagedoor.streams.media.child"]
            environment = environment_of_child(MALLOC_ARENA_MAX="1")
            self._child, self._requests = await start_on_socket(argv, environment, kind=socket.SOCK_SEQPACKET)
            _log.info("media_spawner_started", pid=self._child.pid)
            return self._requests

    async def fork(self, *ends: socket.socket) -> None:
        """Have a worker forked, which gets these sockets.

        Raises:
            OSError: It cannot be.
        """
        descriptors = [end.fileno() for end in ends]
        try:
            socket.send_fds(await self.prepare(), [_FORK], descriptors)
        except OSError:  # it has just died
            if self._child is not None:
                self._child.send(signal.SIGKILL)
                await self._child.wait()
            socket.send_fds(await self.prepare(), [_FORK], descriptors)

    async def end(self) -> None:
        """End the process. Workers that run are not ended by it."""
        child = self._child
        if child is None:
            return
        with contextlib.suppress(OSError):
            if self._requests is not None:
                self._requests.shutdown(socket.SHUT_WR)
        waiting = asyncio.ensure_future(child.wait())
        await asyncio.wait([waiting], timeout=_ENDING_SECONDS)
        child.send(signal.SIGKILL)
        await waiting
        self._forget()

    def _forget(self) -> None:
        if self._child is not None:
            self._child.close()
        if self._requests is not None:
            self._requests.close()
        self._child = self._requests = None
