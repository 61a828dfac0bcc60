"""An output of a stream, seen from the main process: it survives the stream's worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

from stagedoor.kernel.ids import new_id
from stagedoor.streams.media.protocol import Output, StartOutput, StopOutput
from stagedoor.streams.media.segments import Header, InvalidMessage, MessageSplitter
from stagedoor.streams.media.worker import Worker

_log = structlog.get_logger()
_BUFFER_BYTES: Final = 1 << 20

OnMedia = Callable[[Header, bytes], None]


class MediaOutput:
    """An output that was started.

    Args:
        output: What the worker makes.
        on_media: Called with all that it makes, in the event loop. After a new worker an `Initialization` comes first.
    """

    def __init__(self, output: Output, on_media: OnMedia) -> None:
        self.id = new_id("out")
        self._output = output
        self._on_media = on_media
        self._worker: Worker | None = None
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._stopped = False

    def attach(self, worker: Worker) -> None:
        """Have a worker make it."""
        if self._stopped:
            return
        ours, its = socket.socketpair()
        try:
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            worker.send(StartOutput(self.id, self._output), its)
        finally:
            its.close()
        self._worker = worker
        self._connecting = asyncio.create_task(self._connect(ours), name="output of a stream")

    def stop(self) -> None:
        """End it."""
        self._stopped = True
        if self._worker is not None and not self._worker.lost.is_set():
            self._worker.send(StopOutput(self.id))
        self.detach()

    def detach(self) -> None:
        """The worker is gone."""
        self._worker = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _connect(self, ours: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: _Receiver(self._receive), sock=ours)
        if self._worker is None:
            transport.abort()
        else:
            self._transport = transport

    def _receive(self, header: Header, media: bytes) -> None:
        if not self._stopped:
            self._on_media(header, media)


class _Receiver(asyncio.Protocol):
    def __init__(self, on_media: OnMedia) -> None:
        self._on_media = on_media
        self._splitter = MessageSplitter()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for header, media in self._splitter.feed(data):
                self._on_media(header, media)
        except InvalidMessage:
            _log.exception("media_output_invalid")
            if isinstance(self._transport, asyncio.Transport):
                self._transport.abort()
