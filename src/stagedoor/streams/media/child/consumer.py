"""Who gets the packets of a stream: each source is read once, and a new way out is a new consumer."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.child.running_group import KEPT_BYTES, KEPT_PACKETS


class Consumer(Protocol):
    """Takes the packets of one stream. Consumers do not know each other, and none holds up the source."""

    def push(self, packet: MediaPacket) -> None:
        """Take a packet, without waiting. A consumer that is late drops packets of its own."""
        ...

    def close(self) -> None:
        """The source has ended: finish, and return when everything is released."""
        ...


class FanOut:
    """Passes packets to consumers. One that is added later gets what came since the last key frame first."""

    def __init__(self, consumers: list[Consumer]) -> None:
        self._consumers = consumers
        self._group: deque[MediaPacket] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def push(self, packet: MediaPacket) -> None:
        """Pass a packet to all."""
        with self._lock:
            self._keep(packet)
            for consumer in self._consumers:
                consumer.push(packet)

    def add(self, consumer: Consumer) -> None:
        """Add a consumer, from any thread."""
        with self._lock:
            for packet in self._group:
                consumer.push(packet)
            self._consumers.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Remove a consumer, from any thread; it is not closed."""
        with self._lock:
            if consumer in self._consumers:
                self._consumers.remove(consumer)

    def close(self) -> None:
        """Close all."""
        with self._lock:
            consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.close()

    def _keep(self, packet: MediaPacket) -> None:
        if not packet.live:
            return
        if packet.track.kind == "video" and packet.key:
            self._clear()
        elif not self._group:
            return
        self._group.append(packet)
        self._bytes += len(packet.data)
        if len(self._group) > KEPT_PACKETS or self._bytes > KEPT_BYTES:
            self._clear()  # of a longer group nothing is kept: its end alone is of no use

    def _clear(self) -> None:
        self._group.clear()
        self._bytes = 0
