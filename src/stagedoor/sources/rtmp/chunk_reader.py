"""Chunks in, messages out: whatever the pieces in which the bytes come."""

from __future__ import annotations

from typing import Final, NamedTuple

from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.message import ABORT, SET_CHUNK_SIZE, Message

MOST_CHUNK_STREAMS: Final = 64
"""Of one connection. Encoders use three to eight."""

_EXTENDED: Final = 0xFF_FFFF
_WRAP: Final = 0xFFFF_FFFF
_HEADER_BYTES: Final = (11, 7, 3, 0)
_RUN: Final = 4
"""Chunks of one message in a row from which it pays to take them in one step."""

_LONGEST_STEP_MS: Final = 10_000
"""A type 3 header after a type 0 one repeats its time as the step, as FFmpeg means it; a longer one is no step, and the
encoder means the same time again, as librtmp does."""


class _ChunkStream:
    """What the next headers of a chunk stream leave out, and the message that is not complete."""

    __slots__ = ("absolute", "extended", "field", "kind", "length", "payload", "started", "stream", "timestamp")

    def __init__(self) -> None:
        self.kind = self.stream = self.length = self.timestamp = self.field = 0
        self.extended = self.absolute = self.started = False
        self.payload = bytearray()


class _Header(NamedTuple):
    """One chunk's header, not applied yet."""

    form: int
    id: int
    field: int
    extended: bool
    length: int
    kind: int
    stream: int
    end: int


class ChunkReader:
    """Reads the chunks of one connection.

    Args:
        most_bytes: Bytes of a message, and of all messages that are not complete; it may be changed at any time.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.chunk_size = 128
        self._buffer = bytearray()
        self._at = 0
        self._streams: dict[int, _ChunkStream] = {}
        self._unfinished = 0
        self._done: Message | None = None

    @property
    def held_bytes(self) -> int:
        """The bytes that are kept for messages that are not complete."""
        return len(self._buffer) - self._at + self._unfinished

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the connection."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next complete message; `None` until more bytes have come.

        Raises:
            ProtocolError: The bytes are no chunks, or exceed a bound.
        """
        while self._read_chunk():
            message = self._done
            if message is not None:
                self._done = None
                if not self._handled(message):
                    return message
        return None

    def _handled(self, message: Message) -> bool:
        """Apply a message that is about chunks."""
        if message.kind not in (SET_CHUNK_SIZE, ABORT):
            return False
        if len(message.payload) < 4:
            raise ProtocolError("bad_control_message", "A protocol control message is too short.")
        value = int.from_bytes(message.payload[:4], "big")
        if message.kind == ABORT:
            aborted = self._streams.get(value)
            if aborted is not None:
                self._drop(aborted)
        elif not 0 < value < 1 << 31:
            raise ProtocolError("bad_chunk_size", f"The chunk size {value} is not allowed.")
        else:
            self.chunk_size = value
        return True

    def _drop(self, stream: _ChunkStream) -> None:
        self._unfinished -= len(stream.payload)
        stream.payload = bytearray()
        stream.started = False

    def _read_chunk(self) -> bool:
        """Take one chunk, or a run of them; `False` if it is not all there."""
        header = self._header()
        if header is None:
            return False
        stream = self._streams.get(header.id)
        if stream is not None and stream.started and header.form == 3:
            return self._continue(stream, header)
        size = min(header.length, self.chunk_size)
        if header.length > self.most_bytes:
            raise ProtocolError("message_too_big", f"A message of {header.length} bytes is too big: {self._limit()}.")
        if len(self._buffer) - header.end < size:
            return False
        if stream is None:
            if len(self._streams) >= MOST_CHUNK_STREAMS:
                raise ProtocolError("too_many_chunk_streams", "The connection uses too many chunk streams.")
            stream = self._streams[header.id] = _ChunkStream()
        elif stream.started:  # the encoder gave the message up
            self._drop(stream)
        _begin(stream, header)
        self._append(stream, header.end, size)
        return True

    def _continue(self, stream: _ChunkStream, header: _Header) -> bool:
        missing = stream.length - len(stream.payload)
        if missing > self.chunk_size and not stream.extended and header.id < 64 and self._take_run(stream, missing):
            return True
        size = min(missing, self.chunk_size)
        if len(self._buffer) - header.end < size:
            return False
        self._append(stream, header.end, size)
        return True

    def _take_run(self, stream: _ChunkStream, missing: int) -> bool:
        """Take the full chunks of this message that stand in a row, without a loop over them.

        Encoders that leave the chunk size at 128 send a key frame in hundreds of them.
        """
        stride = self.chunk_size + 1
        count = min((len(self._buffer) - self._at) // stride, (missing - 1) // self.chunk_size)
        if count < _RUN:
            return False
        run = self._buffer[self._at : self._at + count * stride]
        heads = run[::stride]
        same = count - len(heads.lstrip(heads[:1]))
        if same < _RUN:
            return False
        del run[same * stride :]
        del run[::stride]
        self._at += same * stride
        self._grow(len(run))
        stream.payload += run
        return True

    def _append(self, stream: _ChunkStream, start: int, size: int) -> None:
        end = start + size
        if size == stream.length:  # the whole message
            payload = bytes(memoryview(self._buffer)[start:end])
        else:
            self._grow(size)
            stream.payload += memoryview(self._buffer)[start:end]
            self._at = end
            if len(stream.payload) < stream.length:
                return
            payload = bytes(stream.payload)
            self._drop(stream)
        self._at = end
        stream.started = False
        self._done = Message(stream.kind, stream.stream, stream.timestamp, payload)

    def _grow(self, size: int) -> None:
        self._unfinished += size
        if self._unfinished > self.most_bytes:
            raise ProtocolError(
                "message_too_big", f"The messages that are not complete are too big together: {self._limit()}."
            )

    def _limit(self) -> str:
        return f"the most is {self.most_bytes} bytes, for a publisher the setting rtmp_max_message_bytes"

    def _header(self) -> _Header | None:
        buffer, at = self._buffer, self._at
        there = len(buffer) - at
        if there < 1:
            return None
        form, chunk_stream = buffer[at] >> 6, buffer[at] & 0x3F
        at += 1
        if chunk_stream < 2:
            if there < 2 + chunk_stream:
                return None
            chunk_stream, wide = 64 + buffer[at], chunk_stream
            if wide:
                chunk_stream += buffer[at + 1] << 8
            at += 1 + wide
        known = self._streams.get(chunk_stream)
        if known is None and form == 3:
            raise ProtocolError("bad_chunk", "A chunk continues a message that has not begun.")
        end = at + _HEADER_BYTES[form]
        if len(buffer) < end:
            return None
        if form == 3:
            assert known is not None  # noqa: S101 - checked above
            return self._continued_header(known, chunk_stream, end)
        field = int.from_bytes(buffer[at : at + 3], "big")
        length, kind, stream = (known.length, known.kind, known.stream) if known else (0, 0, 0)
        if form < 2:
            length, kind = int.from_bytes(buffer[at + 3 : at + 6], "big"), buffer[at + 6]
        if form == 0:
            stream = int.from_bytes(buffer[at + 7 : at + 11], "little")
        extended = field == _EXTENDED
        if extended:
            if len(buffer) < end + 4:
                return None
            field = int.from_bytes(buffer[end : end + 4], "big")
            end += 4
        return _Header(form, chunk_stream, field, extended, length, kind, stream, end)

    def _continued_header(self, known: _ChunkStream, chunk_stream: int, end: int) -> _Header | None:
        """The header of type 3, which repeats an extended time or does not.

        Adobe's specification and most encoders repeat it; some do not. It is there if the four bytes are that time.
        """
        if known.extended:
            seen = bytes(self._buffer[end : end + 4])
            times = (known.field.to_bytes(4, "big"), known.timestamp.to_bytes(4, "big"))
            if any(time.startswith(seen) for time in times):
                if len(seen) < 4:
                    return None
                end += 4
        return _Header(3, chunk_stream, known.field, known.extended, known.length, known.kind, known.stream, end)


def _begin(stream: _ChunkStream, header: _Header) -> None:
    """Begin a message with the header of its first chunk."""
    if header.form == 0:
        stream.timestamp = header.field
    elif header.form < 3 or not stream.absolute or header.field <= _LONGEST_STEP_MS:
        stream.timestamp = (stream.timestamp + header.field) & _WRAP
    if header.form < 3:
        stream.absolute = header.form == 0
    stream.field, stream.extended = header.field, header.extended
    stream.length, stream.kind, stream.stream = header.length, header.kind, header.stream
    stream.started = True
