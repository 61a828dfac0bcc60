"""An encoder's side of RTMP for tests: messages as chunks in every dialect, and the commands up to `publish`."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from stagedoor.sources.rtmp.amf0 import Amf0Reader, encode
from stagedoor.sources.rtmp.amf_values import AmfValue
from stagedoor.sources.rtmp.chunk_reader import ChunkReader
from stagedoor.sources.rtmp.message import AMF0_COMMAND, AMF0_DATA, SET_CHUNK_SIZE, Message

HANDSHAKE: Final = b"\x03" + bytes(1536) + bytes(1536)
"""C0, C1 and C2 of a client without signatures."""

AVC_CONFIG: Final = bytes.fromhex("170000000001640028ffe100046764002801000468ee3880")
AAC_CONFIG: Final = bytes.fromhex("af001210")


def basic_header(form: int, chunk_stream: int) -> bytes:
    """One, two or three bytes."""
    if chunk_stream < 64:
        return bytes((form << 6 | chunk_stream,))
    if chunk_stream < 320:
        return bytes((form << 6, chunk_stream - 64))
    return bytes((form << 6 | 1,)) + (chunk_stream - 64).to_bytes(2, "little")


@dataclass
class ChunkEncoder:
    """Writes messages as encoders do, leaving out of each header what the one before has.

    Attributes:
        repeats_extended: Whether a continuation repeats an extended time, as the specification says.
        compresses: Whether anything is left out.
    """

    chunk_size: int = 128
    repeats_extended: bool = True
    compresses: bool = True
    _last: dict[int, tuple[Message, int | None, bool]] = field(
        default_factory=dict[int, tuple[Message, "int | None", bool]]
    )

    def pieces(self, message: Message, chunk_stream: int) -> list[bytes]:
        """The message's chunks."""
        last, step_before, was_absolute = self._last.get(chunk_stream, (None, None, False))
        form, value = 0, message.timestamp
        if self.compresses and last is not None and last.stream == message.stream:
            step = (message.timestamp - last.timestamp) & 0xFFFF_FFFF
            form, value = 1, step
            if last.kind == message.kind and len(last.payload) == len(message.payload):
                form = 2
                if step == step_before and step < 0xFF_FFFF and not was_absolute:
                    form = 3
        self._last[chunk_stream] = (message, value if form else None, form == 0)
        extended = value.to_bytes(4, "big") if value >= 0xFF_FFFF else b""
        head = basic_header(form, chunk_stream)
        head += (
            min(value, 0xFF_FFFF).to_bytes(3, "big") + len(message.payload).to_bytes(3, "big") + bytes((message.kind,))
        )[: (7, 7, 3, 0)[form]]
        head += message.stream.to_bytes(4, "little") if form == 0 else b""
        payload = message.payload
        parts = [payload[at : at + self.chunk_size] for at in range(0, len(payload), self.chunk_size)] or [b""]
        again = basic_header(3, chunk_stream) + (extended if self.repeats_extended else b"")
        return [head + extended + parts[0], *(again + part for part in parts[1:])]

    def write(self, message: Message, chunk_stream: int) -> bytes:
        """The message's chunks in a row."""
        made = b"".join(self.pieces(message, chunk_stream))
        if message.kind == SET_CHUNK_SIZE:
            self.chunk_size = int.from_bytes(message.payload, "big")
        return made


def command(*values: AmfValue, stream: int = 0) -> Message:
    """A command."""
    return Message(AMF0_COMMAND, stream, 0, encode(*values))


def metadata(values: dict[str, AmfValue]) -> Message:
    """`@setDataFrame` with `onMetaData`."""
    return Message(AMF0_DATA, 1, 0, encode("@setDataFrame", "onMetaData", values))


def opening(
    key: str, app: str = "live", *, kind: str = "live", announce: bool = True, about: dict[str, AmfValue] | None = None
) -> list[Message]:
    """The commands up to `publish`, as FFmpeg and OBS send them."""
    connect: dict[str, AmfValue] = {"app": app, "tcUrl": f"rtmp://127.0.0.1/{app}", "flashVer": "FMLE/3.0"}
    commands = [command("connect", 1.0, connect | (about or {}))]
    if announce:
        commands += [command("releaseStream", 2.0, None, key), command("FCPublish", 3.0, None, key)]
    return [*commands, command("createStream", 4.0, None), command("publish", 5.0, None, key, kind, stream=1)]


def messages_of(data: bytes) -> list[Message]:
    """The messages that a server sent behind its handshake."""
    reader = ChunkReader(1 << 20)
    reader.feed(data[1 + 2 * 1536 :])
    return list(iter(reader.next_message, None))


def answers(data: bytes) -> list[list[AmfValue]]:
    """The commands among them."""
    return [Amf0Reader(message.payload).values() for message in messages_of(data) if message.kind == AMF0_COMMAND]


def codes(data: bytes) -> list[str]:
    """The codes of the statuses among them."""
    about = (values[-1] for values in answers(data))
    return [str(each["code"]) for each in about if isinstance(each, dict) and "code" in each]


def tags(data: bytes) -> list[tuple[int, int, bytes]]:
    """The kind, time and payload of each tag of an FLV file."""
    assert data[:3] == b"FLV"
    found: list[tuple[int, int, bytes]] = []
    at = 13
    while at < len(data):
        kind, size, low, high = data[at], *_sizes(data, at)
        payload = data[at + 11 : at + 11 + size]
        assert len(payload) == size
        assert struct.unpack_from(">I", data, at + 11 + size)[0] == size + 11
        found.append((kind, high << 24 | low, payload))
        at += size + 15
    return found


def _sizes(data: bytes, at: int) -> tuple[int, int, int]:
    return int.from_bytes(data[at + 1 : at + 4], "big"), int.from_bytes(data[at + 4 : at + 7], "big"), data[at + 7]
