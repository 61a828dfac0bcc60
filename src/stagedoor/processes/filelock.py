"""A lock between processes that the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_SECONDS = 0.25


class FileLock:
    """An exclusive `flock` on a file that stays where it is.

    The file is never removed: a process that removed it while another one waits for the same inode would
    let both of them hold it. The descriptor is not inherited by children, so a child that outlives this process does
    not keep the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock; `False` when another process (or object) holds it.

        Raises:
            OSError: The file cannot be made or opened.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


@asynccontextmanager
async def held(path: Path, waiting: Callable[[float], None]) -> AsyncGenerator[None]:
    """Hold the lock at `path`; `waiting` is called with the seconds waited so far, about once a second.

    Polls instead of blocking in a thread, so that cancelling the caller ends the wait at once.

    Raises:
        OSError: The file cannot be made or opened.
    """
    lock = FileLock(path)
    began = reported = time.monotonic()
    while not lock.try_acquire():
        now = time.monotonic()
        if reported == began or now - reported >= 1:
            waiting(now - began)
            reported = now
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
