"""Waiting, at a start, for what others start at the same time: trouble that passes by itself ends no start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from stagedoor.kernel.errors import Problem, StorageUnavailable, Unavailable

T = TypeVar("T")
_RETRY_SECONDS: Final = 0.25


class StartupWait:
    """The time that a start has for waiting, all its waits together.

    Args:
        seconds: How long.
        progress: Called with a sentence for what is waited for.
    """

    def __init__(self, seconds: float, progress: Callable[[str], None]) -> None:
        self._left = seconds
        self._progress = progress

    async def attempt(self, step: Callable[[], Awaitable[T]]) -> T:
        """What `step` returns, as soon as the database and LiveKit let it.

        Raises:
            StorageUnavailable: The database did not in time, or waiting does not help.
            Problem: The same of LiveKit.
        """
        reported = ""
        while True:
            began = time.monotonic()
            try:
                return await step()
            except (StorageUnavailable, Problem) as error:
                self._left -= time.monotonic() - began + _RETRY_SECONDS
                if self._left <= 0 or not _passes(error):
                    raise
                if str(error) != reported:
                    reported = str(error)
                    self._progress(f"Waiting for {_whom(error)}: {reported}")
            await asyncio.sleep(_RETRY_SECONDS)


def _passes(error: StorageUnavailable | Problem) -> bool:
    return not error.lasting if isinstance(error, StorageUnavailable) else isinstance(error, Unavailable)


def _whom(error: StorageUnavailable | Problem) -> str:
    return "the database" if isinstance(error, StorageUnavailable) else "LiveKit"
