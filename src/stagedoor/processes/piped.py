"""A child process with pipes to its standard input and output.

Not `asyncio.create_subprocess_exec`: uvloop forks on the event loop's thread and runs Python in the child before it
becomes the program, and where a native thread holds a lock at that moment the loop waits for it indefinitely (seen with
uvloop 0.22 under CPython 3.11). `subprocess` does not run Python there.
"""

from __future__ import annotations

import asyncio
import os
import signal
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
    _reader_transport: asyncio.BaseTransport

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
        """Close the pipes of a process that has ended."""
        self.stdin.close()
        self._reader_transport.close()
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
    its_input, our_end = os.pipe()
    our_output, its_output = os.pipe()
    try:
        pid = await asyncio.to_thread(_spawn, argv, env, its_input, its_output)
    except BaseException:
        os.close(our_end)
        os.close(our_output)
        raise
    finally:
        os.close(its_input)
        os.close(its_output)
    child = Child.watch(pid)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=line_limit)
    reading, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_output, "rb", 0)
    )
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(our_end, "wb", 0)
    )
    return Piped(child, asyncio.StreamWriter(transport, protocol, None, loop), reader, reading)


def _spawn(argv: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int) -> int:
    process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, env=dict(env), start_new_session=True)
    process.returncode = 0  # `Child` reaps it
    return process.pid
