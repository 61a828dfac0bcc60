"""An HTTP connection: uvicorn's, with bounds on what a peer can make us keep and wait for.

This file and `websocket_connection.py` are the only ones that know uvicorn's protocol classes. They are no public API:
`tests/app/test_uvicorn_is_as_known.py` fails when they change, and says what to read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from stagedoor.api.direct import DirectRoute
from stagedoor.api.live.raw_writer import PIPE, RawWriter
from stagedoor.api.middleware import DRAINED_BYTES
from stagedoor.api.problems import MEDIA_TYPE, encoded
from stagedoor.app.connection_limits import (
    MOST_HEADER_FIELDS,
    MOST_PIPELINED,
    SLOWEST_BYTES_A_SECOND,
    ConnectionLimits,
)
from stagedoor.app.direct_request import DirectRequest
from stagedoor.kernel.errors import BadRequest, HeadTooLarge, Problem, RequestTimeout, Unavailable

_LINGER_SECONDS: Final = 2.0
"""After a refusal what still comes is read and thrown away: to close meanwhile would reset the connection, and the
client would not see why."""


_parent: Final = HttpToolsProtocol
"""Called by name where it is called for each request: `super()` takes a tenth of a microsecond."""


class Waiting(Enum):
    """What a connection waits for."""

    FIRST_BYTE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    NEXT_REQUEST = auto()


class HttpConnection(HttpToolsProtocol):
    """One connection.

    What uvicorn 0.54 lacks: httptools takes a head of any size and nothing ends a head or a body that does not come
    (both of https://github.com/Kludex/uvicorn/issues/157), an answer without a length is chunked even for HTTP/1.0, and
    when a connection is lost only the newest request on it learns of that, so that a stream before it never ends.

    Attributes:
        waited: Seconds for which the connection has waited for the same thing of its peer.
    """

    def __init__(
        self, *args: Any, limits: ConnectionLimits, direct: Mapping[bytes, DirectRoute] | None = None, **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self.limits = limits
        self._direct = direct or {}
        self._request: DirectRequest | None = None
        self.waited = 0.0
        self._waited_for: tuple[Waiting, int] = (Waiting.FIRST_BYTE, 0)
        self._extensions: dict[str, Any] = {}
        self._messages = 0
        self._in_head = False
        self._in_body = False
        self._unparsed = 0
        self._body_bytes = 0
        self._refusal: Problem | None = None
        self._refused = False
        self._thrown_away = 0
        self._earlier: tuple[RequestResponseCycle, ...] = ()

    # What comes in

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._extensions = {PIPE: {"pipe": RawWriter(transport, self.flow.drain)}}
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse(Unavailable("There are as many connections as may be.", headers={"Retry-After": "5"}))

    def data_received(self, data: bytes) -> None:
        unparsed = self._unparsed + len(data)
        if unparsed > self.limits.head_bytes or self._refused:
            self._take_in_pieces(data)
            return
        self._unparsed = unparsed
        _parent.data_received(self, data)
        if self._body_bytes > DRAINED_BYTES:
            self._end_if_answered()

    def _take_in_pieces(self, data: bytes) -> None:
        """Take what may be more than a head: it is given to the parser up to the limit, and not one byte beyond."""
        limit = self.limits.head_bytes
        while data and not self._refused:
            if self._unparsed >= limit:
                self._refuse(
                    HeadTooLarge(
                        f"The head of the request has more than {limit} bytes; a long token in the URL, or cookies, are"
                        " the usual reason.",
                        extra={"limit": limit},
                    )
                )
                break
            room = limit - self._unparsed
            piece, data = data[:room], data[room:]
            self._unparsed += len(piece)
            _parent.data_received(self, piece)
            if self.transport.get_protocol() is not self:
                return  # a WebSocket has taken the connection over
        if self._refused:
            self._throw_away(len(data))
        elif self._body_bytes > DRAINED_BYTES:
            self._end_if_answered()

    def _end_if_answered(self) -> None:
        if self._in_body and self._answered():
            self.transport.close()

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._messages += 1
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unparsed = 0
        if len(self.headers) > MOST_HEADER_FIELDS:
            self._refusal = HeadTooLarge(
                f"The request has more than {MOST_HEADER_FIELDS} header fields.", extra={"limit": MOST_HEADER_FIELDS}
            )
            raise ValueError  # the parser stops, and `send_400_response` is called
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError
        before: Any = self.cycle  # None at first, whatever its type says
        route = self._direct.get(self.url)
        if route is not None and (before is None or before.response_complete) and self._may_be_direct(route):
            self._begin_direct(route)
            return
        self._request = None
        self._make_scope()
        _parent.on_headers_complete(self)
        if self.cycle is before:
            return  # a WebSocket
        self._in_body = True
        self._body_bytes = 0
        if before is not None and not before.response_complete:
            self._earlier = (*(cycle for cycle in self._earlier if not cycle.response_complete), before)
        if self.scope["http_version"] != "1.1":
            _end_with_the_connection(self.cycle)

    def _make_scope(self) -> None:
        """What uvicorn makes before it knows the head, which a direct request does not need."""
        head = self.url, self.expect_100_continue, self.headers
        _parent.on_message_begin(self)
        self.url, self.expect_100_continue, self.headers = head
        self.scope["headers"] = self.headers
        self.scope["extensions"] = self._extensions

    def _may_be_direct(self, route: DirectRoute) -> bool:
        """Whether it is a plain request of a known size with something to be verified."""
        parser: Any = self.parser
        if parser.get_method() != route.method or parser.get_http_version() != "1.1" or parser.should_upgrade():
            return False
        if self.expect_100_continue or not parser.should_keep_alive():
            return False
        if self.flow.write_paused:  # it does not read its answers, so they wait where the next one waits for them
            return False
        size, signed = b"", False
        for name, value in self.headers:
            if name == b"content-length":
                size = value
            elif name == b"authorization":
                signed = True
            elif name == b"transfer-encoding":
                return False
        return signed and size.isdigit() and int(size) <= route.largest

    def _begin_direct(self, route: DirectRoute) -> None:
        request = DirectRequest(route, self.headers, self.transport, self.server_state, self.on_response_complete)
        self._request = request
        self.cycle = cast("RequestResponseCycle", request)
        self._in_body = True
        self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        self._body_bytes += len(body)
        if self._request is None:
            _parent.on_body(self, body)
        else:
            self._request.add(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        self._in_body = False
        if self._request is None:
            _parent.on_message_complete(self)
        elif not self._request.disconnected:
            self._request.complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each answer: `tick` ends the connections that are idle."""
        if self.pipeline or self.transport.is_closing():
            _parent.on_response_complete(self)
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()

    def handle_websocket_upgrade(self) -> None:
        if not self._answered():
            # The WebSocket would take the connection over, and the earlier answer would not learn of its end.
            self.transport.close()
            return
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for cycle in self._earlier:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    # What is refused

    def send_400_response(self, msg: str) -> None:
        """uvicorn's way to answer what its parser does not take."""
        if self._in_body or self._answered():
            self._refuse(self._refusal or BadRequest("The request is not HTTP/1.1.", code="bad_http"))
            return
        # The mistake is behind a request that was right, and that one is still to be answered.
        self._refused = True
        self.cycle.keep_alive = False

    def _refuse(self, problem: Problem) -> None:
        """Answer what cannot become a request, or will not, and end the connection."""
        self._refused = True
        if self.transport.is_closing():
            return
        if not self._answered():
            earlier = any(not cycle.response_complete for cycle in self._earlier)
            if earlier or self.cycle.response_started:
                self.transport.close()  # anything written now would be taken for a part of another answer
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = encoded(problem)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            **problem.headers,
        }
        head = [STATUS_LINE[problem.status]]
        head += [b"%b: %b\r\n" % pair for pair in self.server_state.default_headers]
        head += [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items()]
        self.transport.write(b"".join([*head, b"\r\n", body]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > DRAINED_BYTES:
            self.transport.close()

    # What does not come

    def _answered(self) -> bool:
        cycle: Any = self.cycle  # None at first, whatever its type says
        return cycle is None or cycle.response_complete

    def waiting(self) -> Waiting:
        """What the connection waits for."""
        if self._in_head:
            return Waiting.HEAD
        if self._in_body:
            return Waiting.BODY
        if not self._answered():
            return Waiting.ANSWER
        return Waiting.NEXT_REQUEST if self._messages else Waiting.FIRST_BYTE

    def tick(self, elapsed: float) -> None:
        """End the connection if its peer has let it wait for too long.

        Args:
            elapsed: Seconds since this was called before.
        """
        waiting = self.waiting()
        if (waiting, self._messages) != self._waited_for:
            self._waited_for = waiting, self._messages
            self.waited = 0.0
            return
        if waiting is Waiting.ANSWER or self._waits_for_us():
            return
        self.waited += elapsed
        if self.waited > self._timeout(waiting):
            self._give_up(waiting)

    def _waits_for_us(self) -> bool:
        return self._refused or self.flow.read_paused or (self._in_body and self.cycle.waiting_for_100_continue)

    def _timeout(self, waiting: Waiting) -> float:
        if waiting is Waiting.BODY:
            return self.limits.body_seconds + self._body_bytes / SLOWEST_BYTES_A_SECOND
        if waiting is Waiting.NEXT_REQUEST:
            return self.limits.idle_seconds
        return self.limits.head_seconds

    def _give_up(self, waiting: Waiting) -> None:
        if waiting is Waiting.HEAD and not self._answered():
            return  # an earlier request is being answered on it
        if waiting is Waiting.HEAD or (waiting is Waiting.BODY and not self._answered()):
            part = "head" if waiting is Waiting.HEAD else "body"
            self._refuse(RequestTimeout(f"The {part} of the request did not come in time."))
        else:
            self.transport.close()

    def _make_room(self) -> bool:
        """Close those that have waited longest, a sixteenth of all, so that this costs little when it goes on."""
        others = [
            other
            for other in self.connections
            if isinstance(other, HttpConnection) and other is not self and other.waiting() is not Waiting.ANSWER
        ]
        others.sort(key=lambda other: other.waited, reverse=True)
        for other in others[: max(1, self.limits.connections // 16)]:
            other.transport.close()
        return bool(others)


def _end_with_the_connection(cycle: RequestResponseCycle) -> None:
    """Have an answer without a length end with its connection: HTTP/1.0 knows no chunks (RFC 9112 6.1)."""
    send = cycle.send
    has_length = True

    async def unchunked(message: Any) -> None:
        nonlocal has_length
        if message["type"] == "http.response.start":
            has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", []))
            if not has_length:
                cycle.chunked_encoding = False
        elif not has_length:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = unchunked
