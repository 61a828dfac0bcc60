"""The socket on which a worker reads a stream: bounded, and what does not fit is dropped up to the next key frame."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from stagedoor.streams.media.flv import Tag
from stagedoor.streams.media.metrics import MEDIA_DROPPED_TAGS

MAX_BUFFERED: Final = 4 << 20
_HIGH_WATER: Final = 256 << 10


class _FlowControl(asyncio.Protocol):
    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable.set()


class Feed:
    """Our end of a stream's socket."""

    def __init__(self, transport: asyncio.WriteTransport, flow: _FlowControl) -> None:
        self._transport = transport
        self._flow = flow
        self._dropping = False

    @classmethod
    async def make(cls) -> tuple[Feed, socket.socket]:
        """A feed, and the end that a worker gets."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        flow = _FlowControl()
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: flow, sock=ours)
        except BaseException:
            ours.close()
            its.close()
            raise
        writing = cast("asyncio.WriteTransport", transport)
        writing.set_write_buffer_limits(high=_HIGH_WATER)
        return cls(writing, flow), its

    @property
    def buffered(self) -> int:
        """Bytes that the worker has not read."""
        return self._transport.get_write_buffer_size()

    @property
    def keeps_up(self) -> bool:
        """Whether the worker reads as fast as it is written to."""
        return self._flow.writable.is_set()

    def write(self, data: bytes) -> None:
        """Write what must not be dropped."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_tag(self, tag: Tag) -> None:
        """Write a tag, or drop it with all that follow up to a key frame."""
        if not tag.header:
            if self._dropping and (tag.key or tag.kind != "video") and self.buffered < MAX_BUFFERED // 2:
                self._dropping = self._dropping and not tag.key
            if self._dropping or self.buffered + len(tag.data) > MAX_BUFFERED:
                self._dropping = True
                MEDIA_DROPPED_TAGS.inc()
                return
        self.write(tag.data)

    async def drained(self) -> None:
        """Wait until the worker keeps up."""
        await self._flow.writable.wait()

    def close(self) -> None:
        """End the stream for the worker."""
        self._transport.abort()
