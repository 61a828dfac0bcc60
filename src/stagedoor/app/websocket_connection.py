"""A WebSocket connection: uvicorn's, with bounds on what a peer can make us keep and do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from stagedoor.api.live.frame_sink import SINK, FrameSink
from stagedoor.api.live.raw_writer import PIPE, RawWriter
from stagedoor.api.middleware import DRAINED_BYTES
from stagedoor.api.problems import MEDIA_TYPE, encoded
from stagedoor.app.connection_limits import MOST_HEADER_FIELDS, ConnectionLimits
from stagedoor.app.websocket_frame import WHOLE_BINARY, extent, unmasked
from stagedoor.kernel.errors import BadRequest
from stagedoor.sources.cameras.close_codes import CAMERA_SOCKET, SILENT, TOO_BIG, error_message
from stagedoor.sources.cameras.intake import LARGEST_FRAME

LARGEST_OTHER_MESSAGE: Final = 4_096
"""Bytes of a message where no frames are sent: who only watches has nothing to say."""

_LINGER_SECONDS: Final = 5.0
_FRAMES_IN_A_TURN: Final = 64
"""After so many WebSocket frames other connections have their turn: a read brings 256 KB, and the 37,000 frames that
are in it at worst took 0.36 s of the event loop."""

_FIRST_SLICE: Final = 4_096
_LARGEST_SLICE: Final = 32_768
_SMALLEST_SLICE: Final = 512
"""Bytes that are parsed in one go. A connection's slice grows while few frames are in it, and shrinks when there are
more than have a turn."""


class _MessageWriter(RawWriter):
    """Writes whole messages to a WebSocket, as long as neither side has closed it."""

    __slots__ = ("_conn",)

    def __init__(
        self, transport: asyncio.Transport, writable: Callable[[], Awaitable[object]], conn: ServerProtocol
    ) -> None:
        super().__init__(transport, writable)
        self._conn = conn

    def write(self, data: bytes) -> None:
        """Write messages; does nothing when a close frame was sent or received, after which no message may follow."""
        if self._conn.state is State.OPEN:
            super().write(data)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One connection.

    What uvicorn 0.54 lacks or gets wrong: a handshake that `websockets` does not take gets no answer. A message is kept
    as a list of its fragments, fifty bytes for each byte at worst. Pings are answered whether the answers are read or
    not. A peer that sends all the time and answers no ping is taken for dead. A refusal before the upgrade is taken for
    an endpoint that forgot to answer: `send` never sets `handshake_complete` after `websocket.http.response.body`. A
    message that is too large closes the connection while the rest of it comes in, which resets it, so that the device
    never sees why.

    A camera's frames go from here to its endpoint's sink, which costs a tenth of their way through the parser of
    `websockets`, uvicorn's queue and a task. `websockets` parses every other frame.

    Attributes:
        _not_parsed: What came and waits for this connection's next turn.
        _begun: Of a camera's connection, a frame that has not come whole, and goes to the sink.
        _wanted: How many bytes of that are needed.
        _left: How many bytes are still to come of a frame that goes to `websockets`.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*args, **named)
        # The head was counted as HTTP. websockets takes lines of 8,192 bytes at most, less than a long token has.
        http11.MAX_LINE_LENGTH = limits.head_bytes + 1_024
        http11.MAX_NUM_HEADERS = MOST_HEADER_FIELDS
        self._not_parsed = b""
        self._slice = _FIRST_SLICE
        self._thrown_away = 0
        self._heard = False
        self._frames_come = False
        self._sink = FrameSink()
        self._begun = bytearray()
        self._wanted = 0
        self._left = 0

    # What comes in

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.conn.parser_exc is not None:
            self._throw_away(len(data))
        elif self._not_parsed:
            self._not_parsed += data
        elif self._frames_come:
            self._take(data)
        else:
            self._parse(data)

    def _take(self, data: bytes | bytearray) -> None:
        """Take a camera's frames, as many as have a turn."""
        if self._begun:
            self._begun += data
            if len(self._begun) < self._wanted:
                return
            data, self._begun = self._begun, bytearray()
        at = frames = 0
        while at < len(data):
            if self.conn.parser_exc is not None:
                self._throw_away(len(data) - at)
                return
            if frames == _FRAMES_IN_A_TURN:
                self._wait_for_turn(bytes(data[at:]))
                return
            end = self._take_frame(data, at)
            if end == at:
                self._begun = bytearray(data[at:])
                return
            at = end
            frames += 1

    def _take_frame(self, data: bytes | bytearray, at: int) -> int:
        """Take the frame at `at`, or the rest of one.

        Returns:
            Where it ends; `at` when more of it is needed first.
        """
        if not self._left:
            head, length = extent(data, at)
            begin, end = at + head, at + head + length
            if begin > len(data):
                self._wanted = head
                return at
            take = self._sink.take
            if take is not None and data[at] == WHOLE_BINARY and length <= LARGEST_FRAME and self._in_order():
                if end > len(data):
                    self._wanted = head + length
                    return at
                take(unmasked(memoryview(data)[begin:end], data[begin - 4 : begin]))
                return end
            self._left = head + length
        end = at + min(self._left, len(data) - at)
        self._left -= end - at
        self.parse_slice(data[at:end])
        return end

    def _in_order(self) -> bool:
        """Whether no message that came before is under way or still to be received."""
        return self.conn.state is State.OPEN and self.conn.current_size is None and self.queue.empty()

    def _parse(self, data: bytes) -> None:
        start = frames = 0
        while start < len(data) and self.conn.parser_exc is None:
            end = start + self._slice
            found = self.parse_slice(data[start:end])
            frames += found
            start = end
            if found > _FRAMES_IN_A_TURN:
                self._slice = max(_SMALLEST_SLICE, self._slice * _FRAMES_IN_A_TURN // found)
            else:
                self._slice = min(_LARGEST_SLICE, self._slice * 2)
            if frames > _FRAMES_IN_A_TURN and start < len(data):
                self._wait_for_turn(data[start:])
                return

    def _wait_for_turn(self, rest: bytes) -> None:
        self._not_parsed = rest
        self.transport.pause_reading()
        self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Parse the rest, now that others had their turn."""
        data, self._not_parsed = self._not_parsed, b""
        if self.disconnected:
            return
        if self._frames_come:
            self._take(data)
        else:
            self._parse(data)
        if not self._not_parsed and not self.read_paused:
            self.transport.resume_reading()

    def _throw_away(self, size: int) -> None:
        """What follows a mistake is read, so that the peer comes to see why, and not kept."""
        self._thrown_away += size
        if self._thrown_away > DRAINED_BYTES:
            self.transport.abort()

    def parse_slice(self, data: bytes | bytearray) -> int:
        """How many frames there were in it."""
        self.conn.receive_data(data)
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
            return 0
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse_handshake()
            return 0
        frames = len(self.conn.events)
        self.handle_events()
        return frames

    def _refuse_handshake(self) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        answer = b"".join(self.conn.data_to_send())
        if not answer:
            body = encoded(BadRequest("The WebSocket handshake cannot be read.", code="bad_handshake"))
            answer = (
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (
                    MEDIA_TYPE.encode(),
                    len(body),
                    body,
                )
            )
        self.transport.write(answer)
        self.transport.close()

    def handle_connect(self, event: Request) -> None:
        self._frames_come = unquote(event.path.partition("?")[0]) == CAMERA_SOCKET
        self.conn.max_message_size = LARGEST_FRAME if self._frames_come else LARGEST_OTHER_MESSAGE
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
            if self._frames_come:
                extensions[SINK] = {"sink": self._sink}
            else:
                extensions[PIPE] = {"pipe": _MessageWriter(self.transport, self.writable.wait, self.conn)}

    def handle_cont(self, event: Frame) -> None:
        """One buffer for the whole message, so that it takes as much memory as it has bytes."""
        message: Any = self.frames[0]
        if not isinstance(message, bytearray):
            message = bytearray(message)
            self.frames[0] = message
        message += event.data
        if event.fin:
            self.frames[0] = bytes(message)
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:  # uvicorn logs a traceback for each
                self.conn.fail(1007, "the text is not UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless earlier answers are not read: only the newest ping needs one (RFC 6455 5.5.3)."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent or Close(1002, "")
        output = b"".join(self.conn.data_to_send())
        if self._frames_come and isinstance(self.conn.parser_exc, PayloadTooBig):
            closing = Close(TOO_BIG.code, TOO_BIG.reason)
            output = Frame(Opcode.CLOSE, closing.serialize()).serialize(mask=False)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(output)
        self.close_sent = True
        self.stop_keepalive()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    # What goes out

    async def send(self, message: Any) -> None:
        if self.close_sent and not self.disconnected and message["type"] in {"websocket.send", "websocket.close"}:
            raise ClientDisconnected  # closed for what the client sent, which uvicorn takes for our error
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    async def receive(self) -> Any:
        message = await super().receive()
        if self._not_parsed and not self.read_paused:
            self.transport.pause_reading()  # uvicorn has resumed it, and the rest of the last read comes first
        return message

    # Whether the peer is there

    def send_keepalive_ping(self) -> None:
        self._heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        if not self._heard:
            self._end_silent()
            return
        self.pong_timer = None
        self.pending_ping_payload = None
        self.last_ping_rtt = 0.0
        self.schedule_ping()

    def _end_silent(self) -> None:
        self.pong_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": SILENT.code, "reason": SILENT.reason})
        if self._frames_come:
            self.conn.send_text(error_message(SILENT).encode())
        self.conn.send_close(SILENT.code, SILENT.reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
