"""One probe for many who ask: its answer is kept for a moment, and who asks meanwhile shares it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from stagedoor.kernel.errors import StorageUnavailable


class ProbeCache:
    """Keeps the answer of `probe` for `keep_s` seconds, whether it was good or bad.

    Args:
        probe: Raises StorageUnavailable when the database cannot be used.
        keep_s: Seconds for which an answer is good.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], keep_s: float = 2.0) -> None:
        self._probe = probe
        self._keep_s = keep_s
        self._asking = asyncio.Lock()
        self._asked: float | None = None
        self._refusal: str | None = None

    async def ask(self) -> None:
        """The kept answer, or a new one.

        Raises:
            StorageUnavailable: The database cannot be used.
        """
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._asked is None or now - self._asked >= self._keep_s:
                try:
                    await self._probe()
                    self._refusal = None
                except StorageUnavailable as error:
                    self._refusal = str(error)
                self._asked = asyncio.get_running_loop().time()
        if self._refusal is not None:
            raise StorageUnavailable(self._refusal)
