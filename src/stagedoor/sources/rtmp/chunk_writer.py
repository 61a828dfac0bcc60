"""Messages out as chunks. A server sends few and small ones, so each begins with the full header."""

from __future__ import annotations

from stagedoor.sources.rtmp.message import Message


def chunks(message: Message, chunk_stream: int, chunk_size: int) -> bytes:
    """A message as chunks.

    Args:
        chunk_stream: Its chunk stream, 2 to 63.
        chunk_size: Bytes of payload in a chunk, as the peer knows it.
    """
    kind, stream, timestamp, payload = message
    extended = timestamp.to_bytes(4, "big") if timestamp >= 0xFF_FFFF else b""
    head = bytearray((chunk_stream,))
    head += min(timestamp, 0xFF_FFFF).to_bytes(3, "big")
    head += len(payload).to_bytes(3, "big")
    head.append(kind)
    head += stream.to_bytes(4, "little")
    again = bytes((0xC0 | chunk_stream,)) + extended
    pieces = [payload[at : at + chunk_size] for at in range(0, len(payload), chunk_size)]
    return bytes(head) + extended + again.join(pieces)
