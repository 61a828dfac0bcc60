"""One encoder's connection without its socket: bytes in, events and bytes out."""

from __future__ import annotations

from typing import Final

from stagedoor.sources.rtmp import media, status
from stagedoor.sources.rtmp.chunk_reader import ChunkReader
from stagedoor.sources.rtmp.chunk_writer import chunks
from stagedoor.sources.rtmp.command import parse
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.events import Closing, Event, Tags
from stagedoor.sources.rtmp.handshake import Handshake
from stagedoor.sources.rtmp.media import MediaReader
from stagedoor.sources.rtmp.message import (
    ACKNOWLEDGEMENT,
    AMF0_COMMAND,
    AMF3_COMMAND,
    CONTROL_STREAM,
    SET_CHUNK_SIZE,
    USER_CONTROL,
    WINDOW_SIZE,
    Message,
)
from stagedoor.sources.rtmp.session import WINDOW, Session
from stagedoor.sources.rtmp.status import StreamStatus
from stagedoor.sources.rtmp.video import UnsupportedVideo

MOST_BEFORE_PUBLISH: Final = 65_536
"""Bytes of a message before its sender may publish, and of all messages that are not complete."""

LONGEST_COMMAND: Final = 65_536

_LEAST_WINDOW: Final = 65_536
_PING: Final = b"\0\x06"
_PONG: Final = b"\0\x07"


class Connection:
    """The protocol of one connection.

    Args:
        most_bytes: Bytes of a message of an encoder that publishes, and of all its messages that are not complete.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._handshake = Handshake()
        self._reader = ChunkReader(MOST_BEFORE_PUBLISH)
        self._session = Session(self._send)
        self._media = MediaReader()
        self._output = bytearray()
        self._chunk_size = 128
        self._window = WINDOW
        self._received = 0
        self._acknowledged = 0

    @property
    def shaken_hands(self) -> bool:
        """Whether the handshake is done."""
        return self._handshake.done

    @property
    def publishing(self) -> bool:
        """Whether the encoder publishes, and was sent no end of it."""
        return self._session.publishing

    @property
    def held_bytes(self) -> int:
        """Bytes that are kept of what came."""
        return self._reader.held_bytes

    def take_output(self) -> bytes:
        """The bytes to send; they are forgotten."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def feed(self, data: bytes, now: int) -> list[Event]:
        """Take bytes of the encoder.

        Args:
            data: The bytes; none after `accept`, for what came before it.
            now: Milliseconds of a clock that does not jump.

        Raises:
            ProtocolError: It does not speak RTMP, or exceeds a bound. What is to be sent is sent all the same.
        """
        if not self._handshake.done:
            sent, data = self._handshake.feed(data)
            self._output += sent
            if not self._handshake.done:
                return []
        self._reader.feed(data)
        self._received += len(data)
        events: list[Event] = []
        tags: list[bytes] = []
        while not self._session.asking and not _is_closing(events):
            message = self._reader.next_message()
            if message is None:
                break
            self._handle(message, now, events, tags)
        if tags:
            events.insert(0, Tags(b"".join(tags)))
        self._acknowledge()
        return events

    def accept(self) -> None:
        """Let the encoder publish. Call `feed` with no bytes afterwards."""
        self._reader.most_bytes = self._most_bytes
        self._media = MediaReader()
        self._session.accept()

    def refuse(self, refused: StreamStatus) -> None:
        """Refuse what it asked to publish."""
        self._session.refuse(refused)

    def end(self, ended: StreamStatus) -> None:
        """End its stream."""
        self._session.end(ended)

    def _handle(self, message: Message, now: int, events: list[Event], tags: list[bytes]) -> None:
        if message.kind in media.KINDS:
            if self._session.publishing:
                self._take_media(message, now, events, tags)
        elif message.kind in (AMF0_COMMAND, AMF3_COMMAND):
            self._take_command(message, events, tags)
        elif message.kind == WINDOW_SIZE:
            self._window = max(int.from_bytes(message.payload[:4], "big"), _LEAST_WINDOW)
        elif message.kind == USER_CONTROL and message.payload[:2] == _PING:
            self._send(Message(USER_CONTROL, 0, 0, _PONG + message.payload[2:6]), CONTROL_STREAM)

    def _take_media(self, message: Message, now: int, events: list[Event], tags: list[bytes]) -> None:
        try:
            tags.append(self._media.read(message, now))
        except UnsupportedVideo as error:
            self._session.end(status.failed(str(error)))
            events.append(Closing("unsupported_codec", str(error)))
        events += self._media.notices()

    def _take_command(self, message: Message, events: list[Event], tags: list[bytes]) -> None:
        if len(message.payload) > LONGEST_COMMAND:
            raise ProtocolError("message_too_big", "A command is too long.")
        event = self._session.handle(parse(message))
        if event is not None:
            if tags:  # what was published before the event
                events.append(Tags(b"".join(tags)))
                tags.clear()
            events.append(event)

    def _acknowledge(self) -> None:
        if self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            sequence = (self._received & 0xFFFF_FFFF).to_bytes(4, "big")
            self._send(Message(ACKNOWLEDGEMENT, 0, 0, sequence), CONTROL_STREAM)

    def _send(self, message: Message, chunk_stream: int) -> None:
        self._output += chunks(message, chunk_stream, self._chunk_size)
        if message.kind == SET_CHUNK_SIZE:
            self._chunk_size = int.from_bytes(message.payload, "big")


def _is_closing(events: list[Event]) -> bool:
    return bool(events) and isinstance(events[-1], Closing)
