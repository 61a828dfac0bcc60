"""The consumer that sends parts and segments to Stagedoor, on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.child.segmenter import Segmenter
from stagedoor.streams.media.protocol import SegmentOutput
from stagedoor.streams.media.segments import Header, encode

QUEUED_BYTES: Final = 16 << 20
"""Of packets that wait; when more do, what waits is dropped, and a new timeline begins with the next key frame."""


class SegmentSender:
    """Sends the parts of one stream.

    Args:
        connection: The socket that takes them; the output ends with it.
        output: How they are cut.

    Attributes:
        dropped: Packets that were left out because Stagedoor was too slow.
        cpu_seconds: What the thread has used.
    """

    def __init__(self, connection: socket.socket, output: SegmentOutput) -> None:
        self._socket = connection
        self._segmenter = Segmenter(output.segment_seconds, output.part_seconds)
        self._queue: deque[MediaPacket] = deque()
        self._queued_bytes = 0
        self._interrupted = False
        self._closing = False
        self._changed = threading.Condition()
        self.dropped = 0
        self.cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="segments", daemon=True)
        self._thread.start()

    def push(self, packet: MediaPacket) -> None:
        """Take a packet."""
        with self._changed:
            if self._queued_bytes + len(packet.data) > QUEUED_BYTES:
                self.dropped += len(self._queue)
                self._queue.clear()
                self._queued_bytes, self._interrupted = 0, True
            self._queue.append(packet)
            self._queued_bytes += len(packet.data)
            self._changed.notify()

    def close(self) -> None:
        """End the output."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        with self._socket, contextlib.suppress(OSError):
            while (taken := self._next()) is not None:
                packet, interrupted = taken
                if interrupted:
                    self._send(self._segmenter.interrupt())
                self._send(self._segmenter.take(packet))
                self.cpu_seconds = time.thread_time()
            self._send(self._segmenter.interrupt())

    def _next(self) -> tuple[MediaPacket, bool] | None:
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if not self._queue:
                return None
            packet, interrupted = self._queue.popleft(), self._interrupted
            self._queued_bytes -= len(packet.data)
            self._interrupted = False
            return packet, interrupted

    def _send(self, messages: Iterable[tuple[Header, bytes]]) -> None:
        for header, media in messages:
            self._socket.sendall(encode(header, media))
