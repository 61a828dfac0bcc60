"""Frames straight to a viewer's connection, past the layers that an answer goes through otherwise.

Each of those layers is awaited once more for each frame of each viewer: with a thousand viewers they cost twice as much
as all that the kernel does (docs/benchmarks.md, `cameras`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import Scope

PIPE: Final = "stagedoor.pipe"
"""The extension of a scope under which the HTTP server offers its connection."""


class Pipe:
    """A viewer's connection.

    Args:
        transport: What it is written to.
        writable: Waits while the transport has paused its writers.

    Attributes:
        write: Hand over bytes; what the kernel does not take at once is kept.
        waiting: How many bytes are kept.
    """

    __slots__ = ("_transport", "_writable", "waiting", "write")

    def __init__(self, transport: asyncio.Transport, writable: Callable[[], Awaitable[None]]) -> None:
        self._transport = transport
        self._writable = writable
        self.write = transport.write
        self.waiting = transport.get_write_buffer_size

    async def drained(self) -> None:
        """Return when nothing is kept, or the viewer has left."""
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self._writable()
        finally:
            self._transport.set_write_buffer_limits()


def pipe_of(scope: Scope) -> Pipe | None:
    """The connection of a request, where the server offers it."""
    found = scope.get("extensions", {}).get(PIPE, {}).get("pipe")
    return found if isinstance(found, Pipe) else None
