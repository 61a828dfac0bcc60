"""A process that we watch, whether we started it or found it again after we died ourselves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_POLL_SECONDS = 0.2


def spawn_detached(argv: Sequence[str], log: Path, *, env: Mapping[str, str], cwd: Path) -> int:
    """Start a program that outlives us, and answer its process id. Blocks for milliseconds: call in a thread.

    It gets a session of its own, so that Ctrl-C in our terminal and signals to our group do not reach it;
    its output goes to the end of a file, because with a pipe it would die of SIGPIPE after us; and it
    inherits none of our descriptors, because it would hold our sockets and locks after us.

    Raises:
        OSError: It could not be started, or the log could not be opened.
    """
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            env=dict(env),
            cwd=cwd,
        )
    finally:
        os.close(output)
    # We wait for the process by its pidfd as for one that is not our child. With a result set, this object
    # neither warns that it was forgotten nor reaps the process behind our back.
    process.returncode = 0
    return process.pid


class Child:
    """A living process, held by a pidfd: signals and waiting concern this one, however ids are reused.

    Make it with `Child.watch` inside a running event loop, and `close` it.
    """

    def __init__(self, pid: int, pidfd: int | None) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._exit_code: int | None = None
        self._ended = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    @classmethod
    def watch(cls, pid: int) -> Self:
        """Begin to watch `pid`, which need not be our child.

        Raises:
            ProcessLookupError: There is no such process, not even one that waits to be reaped.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise
        except (AttributeError, OSError):
            # AttributeError: not Linux. OSError: a kernel before 5.3, or a sandbox that forbids the call.
            child = cls(pid, None)
            child._poller = asyncio.create_task(child._poll(), name=f"watch-process-{pid}")
            return child
        child = cls(pid, pidfd)
        asyncio.get_running_loop().add_reader(pidfd, child._on_ended)
        return child

    @property
    def ended(self) -> bool:
        """Whether the process has ended, as far as the loop has noticed."""
        return self._ended.is_set()

    async def wait(self) -> int | None:
        """Wait for the end: the exit code, negative for a signal, None when it was never our child."""
        await self._ended.wait()
        return self._exit_code

    def send(self, signum: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._ended.is_set():
            return
        try:
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signum)
            else:
                os.kill(self.pid, signum)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """Stop watching; the process goes on."""
        if self._poller is not None:
            self._poller.cancel()
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _on_ended(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
        self._reap()
        self._ended.set()

    def _reap(self) -> bool:
        """Take the exit code; True when the process has ended and was our child."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return False  # not ours: its parent, or init, reaps it
        if pid == 0:
            return False
        self._exit_code = os.waitstatus_to_exitcode(status)
        return True

    async def _poll(self) -> None:
        while not self._reap():
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                break
            await asyncio.sleep(_POLL_SECONDS)
        self._ended.set()
