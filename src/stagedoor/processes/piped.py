"""A child process whose standard input and output are streams to us.

They are sockets. Where a pipe's transport is closed, uvloop closes the descriptor twice (0.22, handles/handle.pyx:
libuv first, then the file object, whose EBADF it ignores), and between the two a descriptor that another thread opens
gets the number and is closed in its place: a file of the database, for one. A socket is detached instead.

Not `asyncio.create_subprocess_exec`: uvloop forks on the event loop's thread and runs Python in the child before it
becomes the program, and where a native thread holds a lock at that moment the loop waits for it indefinitely (seen with
uvloop 0.22 under CPython 3.11). `subprocess` does not run Python there.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stagedoor.processes.child import Child


@dataclass(frozen=True, slots=True)
class Piped:
    """A running process.

    Attributes:
        stdin: What it reads; it ends when this is closed.
        stdout: What it writes.
    """

    child: Child
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    _output: asyncio.StreamWriter

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid

    async def end(self, timeout_seconds: float) -> int | None:
        """Close its input, and kill it when it has not ended after so many seconds; its exit code."""
        self.stdin.close()
        # Not asyncio.timeout: this may run in a task that was cancelled, see `processes.stopping`.
        waiting = asyncio.ensure_future(self.child.wait())
        await asyncio.wait([waiting], timeout=timeout_seconds)
        self.kill()
        try:
            return await waiting
        finally:
            self.close()

    def close(self) -> None:
        """Close the streams of a process that has ended."""
        self.stdin.close()
        self._output.close()
        self.child.close()

    def kill(self) -> None:
        """End it at once; nothing happens when it has ended."""
        self.child.send(signal.SIGKILL)


async def start_piped(argv: Sequence[str], env: Mapping[str, str], *, line_limit: int) -> Piped:
    """Start a program in a session of its own, so that Ctrl-C in the terminal does not reach it.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        line_limit: Bytes of the longest line that it may write.

    Raises:
        OSError: It cannot be started.
    """
    # Two: a child that reads without blocking would make a shared one's other direction non-blocking too.
    its_input, our_input = socket.socketpair()
    our_output, its_output = socket.socketpair()
    with its_input, its_output:
        try:
            pid = await asyncio.to_thread(_spawn, argv, env, its_input.fileno(), its_output.fileno())
        except BaseException:
            our_input.close()
            our_output.close()
            raise
    child = Child.watch(pid)
    _, stdin = await asyncio.open_connection(sock=our_input)
    stdout, output = await asyncio.open_connection(sock=our_output, limit=line_limit)
    return Piped(child, stdin, stdout, output)


def _spawn(argv: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int) -> int:
    process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, env=dict(env), start_new_session=True)
    process.returncode = 0  # `Child` reaps it
    return process.pid
