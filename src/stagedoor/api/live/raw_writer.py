"""Writes frames directly to a viewer's connection, bypassing the layers of a usual response or WebSocket.

Each of those layers is awaited once more for each frame of each viewer: with a thousand viewers they cost twice as much
as all that the kernel does (docs/how-it-works/benchmarks.md, `cameras`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import Scope

PIPE: Final = "stagedoor.pipe"
"""The extension of a scope under which the HTTP server offers its connection."""


class RawWriter:
    """A viewer's connection.

    Args:
        transport: What it is written to.
        writable: Waits while the transport has paused its writers.

    Attributes:
        waiting: How many bytes are kept, because the kernel has not taken them yet.
    """

    __slots__ = ("_transport", "_writable", "waiting")

    def __init__(self, transport: asyncio.Transport, writable: Callable[[], Awaitable[object]]) -> None:
        self._transport = transport
        self._writable = writable
        self.waiting = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        """Write bytes; does nothing when the viewer has left, since uvloop warns of writes to a closing transport."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Return when nothing is kept, or the viewer has left."""
        if self._transport.is_closing():
            return
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self._writable()
        finally:
            if not self._transport.is_closing():
                self._transport.set_write_buffer_limits()


def pipe_of(scope: Scope) -> RawWriter | None:
    """The connection of a request, where the server offers it."""
    found = scope.get("extensions", {}).get(PIPE, {}).get("pipe")
    return found if isinstance(found, RawWriter) else None
