"""The packets that wait for a publisher, bounded in bytes: it is late, and the source does not wait."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from stagedoor.streams.media.child.media import MediaPacket

QUEUED_BYTES: Final = 16 << 20


class PacketQueue:
    """Packets of one stream, for one thread that takes them. When too much waits, video is dropped up to a key frame.

    Attributes:
        dropped: Packets that were left out.
    """

    def __init__(self) -> None:
        self._packets: deque[MediaPacket] = deque()
        self._bytes = 0
        self._dropping = False
        self._closed = False
        self._changed = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._packets)

    def push(self, packet: MediaPacket) -> None:
        """Take a packet."""
        with self._changed:
            if packet.track.kind == "video":
                if self._dropping and packet.key and self._bytes < QUEUED_BYTES // 2:
                    self._dropping = False
                self._dropping |= self._bytes + len(packet.data) > QUEUED_BYTES
                if self._dropping:
                    self.dropped += 1
                    return
            self._packets.append(packet)
            self._bytes += len(packet.data)
            self._changed.notify()

    def pop(self, seconds: float = 0.0) -> MediaPacket | None:
        """The next packet; none when none comes for so long, or the queue is closed and empty."""
        with self._changed:
            if not self._packets and not self._closed and seconds:
                self._changed.wait(seconds)
            if not self._packets:
                return None
            packet = self._packets.popleft()
            self._bytes -= len(packet.data)
            return packet

    def close(self) -> None:
        """Wait for no more packets."""
        with self._changed:
            self._closed = True
            self._changed.notify()
