"""A managed LiveKit: started or adopted, supervised, restarted, stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver import adoption, launch
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.failure import os_reason
from stagedoor.mediaserver.install import binary_version
from stagedoor.mediaserver.state import StateFolder
from stagedoor.mediaserver.status import Started, Status
from stagedoor.mediaserver.watchdog import watch
from stagedoor.processes import logfile, stopping
from stagedoor.processes.backoff import Backoff
from stagedoor.processes.child import Child
from stagedoor.processes.filelock import FileLock

__all__ = ["ManagedLiveKit", "Started", "Status"]

_log = structlog.get_logger()


class ManagedLiveKit:
    """Supervises one LiveKit process and owns its folder.

    Args:
        binary: The livekit-server to run.
        config: Its configuration.
        state_dir: A folder of its own, made when missing; see `stagedoor.mediaserver.state`.
        on_lost: Called in the event loop with the time in milliseconds when it ended unexpectedly.
        on_ready: Called with the time, and whether this is a restart, whenever it begins to answer.
        clock: Milliseconds since the epoch.
        start_timeout_seconds: How long it may take to answer after it was started.
        stop_grace_seconds: How long participants may take to leave after the first SIGTERM.
        backoff: The waits between restarts.
    """

    def __init__(
        self,
        binary: Path,
        config: ManagedConfig,
        state_dir: Path,
        *,
        on_lost: Callable[[int], None],
        on_ready: Callable[[int, bool], None],
        clock: Callable[[], int] = now_ms,
        start_timeout_seconds: float = 20.0,
        stop_grace_seconds: float = 2.0,
        backoff: Backoff | None = None,
    ) -> None:
        self._binary = binary
        self._config = config
        self._folder = StateFolder(state_dir.absolute())
        self._on_lost = on_lost
        self._on_ready = on_ready
        self._clock = clock
        self._start_timeout = start_timeout_seconds
        # The first SIGTERM drains for as long as a participant is in a room; the second closes the
        # rooms with SERVER_SHUTDOWN and gives HTTP 5 s (cmd/server/main.go, pkg/service/server.go). It is
        # also what ends a LiveKit that got the first one before it was up, and forgot it.
        self._stop_steps = (
            stopping.Step(signal.SIGTERM, stop_grace_seconds),
            stopping.Step(signal.SIGTERM, 6.0),
        )
        self._backoff = backoff or Backoff()
        self._lock = FileLock(self._folder.lock)
        self._child: Child | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._log_offset = 0
        self._status = Status()

    @property
    def status(self) -> Status:
        """How it is now."""
        return self._status

    async def start(self) -> Started:
        """Adopt the running LiveKit or start one, and return when it answers; then keep it running.

        Raises:
            OperatorError: It cannot run: a port is in use, the folder is in use or cannot be written, the
                binary does not run, or LiveKit ended or did not answer. Nothing is left running.
        """
        await self._take_folder()
        try:
            self._status = Status("starting")
            version = await binary_version(self._binary)
            adopted = await adoption.adopt(self._binary, self._config, self._folder, self._stop_steps, own=self._own)
            if adopted is None:
                await self._begin()
            else:
                self._log_offset = await asyncio.to_thread(logfile.size, self._folder.log)
                self._status = replace(self._status, started_at_ms=adopted.started_at_ms)
        except BaseException:
            await self.stop()
            raise
        child = self._running(restarts=0)
        self._supervisor = asyncio.create_task(self._supervise(child), name="managed-livekit")
        _log.debug("livekit_ready", pid=child.pid, adopted=adopted is not None, version=version)
        self._notify_ready(restarted=False)
        return Started(adopted is not None, child.pid, version)

    async def stop(self) -> None:
        """End LiveKit: drain, then close its rooms, then kill. Also after a failed or cancelled `start`."""
        await self._stop_supervising()
        child = self._child
        try:
            if child is not None:
                await asyncio.to_thread(adoption.mark_stopping, self._folder)
                await stopping.stop(child, self._stop_steps)
                await asyncio.to_thread(self._folder.forget)
        finally:
            self._release()

    async def leave(self) -> None:
        """Stop supervising LiveKit and leave it running, as after a crash; a later `start` adopts it."""
        await self._stop_supervising()
        self._release()

    async def _take_folder(self) -> None:
        try:
            await asyncio.to_thread(self._folder.make)
            self._binary = await asyncio.to_thread(self._binary.resolve)
            free = self._lock.try_acquire()
        except OSError as error:
            raise OperatorError(
                f"The folder {self._folder.path} cannot be used ({os_reason(error)});"
                " see that this user may write there, or give another data folder."
            ) from error
        if not free:
            raise OperatorError(
                f"Another Stagedoor supervises the LiveKit in {self._folder.path};"
                " end it first, or give another data folder."
            )

    async def _begin(self) -> None:
        """Start a process and wait for its answer; it is ended again when it gives none."""
        self._status = replace(self._status, started_at_ms=self._clock())
        self._log_offset = await launch.begin(self._binary, self._config, self._folder, self._clock(), self._own)
        child = self._owned()
        if await launch.until_ready(child, self._config, self._start_timeout):
            return
        if not child.ended:
            await stopping.stop(child, self._stop_steps)
            raise OperatorError(
                f"LiveKit did not answer within {self._start_timeout:.0f} s; look into {self._folder.log}."
            )
        raise OperatorError(await asyncio.to_thread(launch.why_it_ended, self._folder, self._log_offset, self._config))

    def _own(self, child: Child) -> None:
        if self._child is not None:
            self._child.close()
        self._child = child

    def _owned(self) -> Child:
        if self._child is None:
            raise RuntimeError("no process is owned")
        return self._child

    def _running(self, *, restarts: int) -> Child:
        child = self._owned()
        self._status = replace(self._status, state="running", pid=child.pid, restarts=restarts)
        return child

    async def _supervise(self, child: Child) -> None:
        while True:
            began = time.monotonic()
            watchdog = asyncio.create_task(watch(child, self._config, self._folder), name="managed-livekit-watchdog")
            try:
                exit_code = await child.wait()
            finally:
                watchdog.cancel()
            reason = await asyncio.to_thread(launch.why_it_was_lost, self._folder, self._log_offset)
            self._lost(exit_code, reason)
            child = await self._restart(time.monotonic() - began)

    def _lost(self, exit_code: int | None, reason: str | None) -> None:
        why = reason or (f"signal {-exit_code}" if exit_code and exit_code < 0 else "it gave no reason")
        problem = f"LiveKit ended ({why}); it is started again by itself."
        self._status = replace(self._status, state="restarting", pid=None, last_exit=exit_code, last_problem=problem)
        _log.warning("livekit_lost", exit_code=exit_code, reason=reason)
        try:
            self._on_lost(self._clock())
        except Exception:  # noqa: BLE001 - a listener must not be able to end the supervision
            _log.exception("livekit_listener_failed")

    async def _restart(self, lived_seconds: float) -> Child:
        while True:
            await asyncio.sleep(self._backoff.after(lived_seconds))
            lived_seconds = 0.0
            try:
                await self._begin()
            except OperatorError as error:
                self._status = replace(self._status, last_problem=str(error))
                _log.warning("livekit_restart_failed", reason=str(error))
                continue
            child = self._running(restarts=self._status.restarts + 1)
            _log.info("livekit_restarted", pid=child.pid, restarts=self._status.restarts)
            self._notify_ready(restarted=True)
            return child

    def _notify_ready(self, *, restarted: bool) -> None:
        try:
            self._on_ready(self._clock(), restarted)
        except Exception:  # noqa: BLE001 - as in _lost
            _log.exception("livekit_listener_failed")

    async def _stop_supervising(self) -> None:
        task, self._supervisor = self._supervisor, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _release(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
        self._lock.release()
        self._status = replace(self._status, state="stopped", pid=None)
