"""A child process whose standard input is a socket to us."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Mapping, Sequence

from stagedoor.processes.child import Child


async def start_on_socket(
    argv: Sequence[str], env: Mapping[str, str], *, kind: socket.SocketKind
) -> tuple[Child, socket.socket]:
    """Start a program in a session of its own, so that Ctrl-C in the terminal does not reach it.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        kind: The kind of the socket; our end is non-blocking, and belongs to the caller.

    Raises:
        OSError: It cannot be started.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, kind)
    try:
        pid = await asyncio.to_thread(_spawn, argv, env, its.fileno())
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    ours.setblocking(False)
    return Child.watch(pid), ours


def _spawn(argv: Sequence[str], env: Mapping[str, str], stdin: int) -> int:
    process = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.DEVNULL, env=dict(env), start_new_session=True)
    process.returncode = 0  # `Child` reaps it
    return process.pid
