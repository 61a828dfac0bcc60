"""What an output of segments sends to Stagedoor, over a socket of its own. The module imports nothing of Stagedoor.

Each message is the lengths of its two parts, a header in JSON and the media. An `Initialization` comes first, and
again whenever tracks change or time stamps jump: what follows has a timeline of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

LENGTHS: Final = struct.Struct(">II")
MAX_HEADER_BYTES: Final = 4_096
MAX_MEDIA_BYTES: Final = 32 << 20
"""The longest part; a longer one ends the output."""


class Initialization(msgspec.Struct, frozen=True, tag="initialization"):
    """The initialization segment of what follows.

    Attributes:
        codecs: As in the attribute `CODECS` of a playlist.
        width: In pixels; 0 without video.
    """

    codecs: str
    width: int
    height: int
    fps: float


class Part(msgspec.Struct, frozen=True, tag="part"):
    """A part of a segment.

    Attributes:
        duration: In seconds.
        independent: Whether a decoder can begin in it.
        ends: Whether it is its segment's last.
        at: When its first picture was taken, in milliseconds since the epoch.
    """

    duration: float
    independent: bool
    ends: bool
    at: int


Header = Initialization | Part


class InvalidMessage(ValueError):
    """The bytes are no message."""


def encode(header: Header, media: bytes) -> bytes:
    """A message."""
    head = msgspec.json.encode(header)
    return LENGTHS.pack(len(head), len(media)) + head + media


class MessageSplitter:
    """Splits a stream of bytes into messages, however the bytes come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Header, bytes]]:
        """The messages that are complete now.

        Raises:
            InvalidMessage: The bytes are no message.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTHS.size:
            head, media = LENGTHS.unpack_from(self._buffer)
            if head > MAX_HEADER_BYTES or media > MAX_MEDIA_BYTES:
                raise InvalidMessage("a message is too long")
            begin = LENGTHS.size + head
            if len(self._buffer) < begin + media:
                return
            try:
                header: Header = msgspec.json.decode(self._buffer[LENGTHS.size : begin], type=Header)
            except msgspec.MsgspecError as error:
                raise InvalidMessage("a message has an invalid header") from error
            body = bytes(self._buffer[begin : begin + media])
            del self._buffer[: begin + media]
            yield header, body
