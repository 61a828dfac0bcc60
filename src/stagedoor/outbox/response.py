"""The answer to one message, as far as it is read: the status line decides, and what follows is read while it can be.

An endpoint chooses every byte of it, so each part has a bound, and nothing in it can make the reading fail: a head
that breaks off after its status line, a header that no HTTP parser takes or a body that never ends leave the status as
it is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from httptools import HttpParserError, HttpParserInvalidStatusError, HttpParserUpgrade, HttpResponseParser

from stagedoor.kernel.texts import escaped

RESPONSE_BYTES: Final = 2_048
"""How much of a body is read and kept."""

HEAD_BYTES: Final = 65_536
"""How much is read before the head is complete, informational responses included."""

ANSWER_BYTES: Final = 1 << 20
"""How much is read at all: extensions of chunks and trailers are neither head nor body."""

INFORMATIONAL_RESPONSES: Final = 8
"""How many responses such as `100 Continue` and `103 Early Hints` may come before the one that counts."""

HEADERS_KEPT: Final = 50
HEADER_CHARACTERS: Final = 500
_SWITCHING_PROTOCOLS: Final = 101


class ResponseReader(asyncio.Protocol):
    """Reads one response.

    Attributes:
        answered: Done when the head is complete, or when it will not be.
        ended: Done when nothing more is read.
        headers: By their names as they were sent; those of one name are joined by commas, as RFC 9110 (5.3) has it.
        body: Its beginning.
        problem: Why the head could not be read to its end; `None` if it was.
        error: What ended the connection, if it was not the endpoint's close.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.headers: dict[str, str] = {}
        self.body = b""
        self.problem: str | None = None
        self.error: Exception | None = None
        self._parser = HttpResponseParser(self)
        # What is read here is shown and never forwarded, so it cannot smuggle a request past anything.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_transfer_encoding=True,
            lenient_optional_cr_before_lf=True,
        )
        self._received = 0
        self._informational = 0
        self._in_message = False
        self._head_is_complete = False

    @property
    def status(self) -> int | None:
        """The final status; `None` when no status line with one came."""
        if not self._in_message:
            return None
        status = self._parser.get_status_code()
        return status if status >= 200 or status == _SWITCHING_PROTOCOLS else None

    @property
    def received(self) -> int:
        """Bytes that came."""
        return self._received

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self.ended.done():
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._end(None)
        except HttpParserError as error:
            self._end(self.problem or self._unreadable(error))
        else:
            if not self._head_is_complete and self._received > HEAD_BYTES:
                self._end(f"the head is larger than {HEAD_BYTES} bytes")
            elif self._received > ANSWER_BYTES:
                self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.error = exc
            self._end("the connection ended")

    # httptools

    def on_message_begin(self) -> None:
        if not self.ended.done():
            self._in_message = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_is_complete or self.status is None:
            return  # a trailer, or a header of an informational response
        key, text = escaped(readable(name)), escaped(readable(value))[:HEADER_CHARACTERS]
        if key in self.headers:
            self.headers[key] = f"{self.headers[key]}, {text}"[:HEADER_CHARACTERS]
        elif len(self.headers) < HEADERS_KEPT:
            self.headers[key] = text

    def on_headers_complete(self) -> None:
        if self.status is not None:
            self._head_is_complete = True
            if not self.answered.done():
                self.answered.set_result(None)
            return
        self._informational += 1
        if self._informational > INFORMATIONAL_RESPONSES:
            self.problem = f"more than {INFORMATIONAL_RESPONSES} informational responses came"
            raise _Enough

    def on_body(self, body: bytes) -> None:
        self.body += body[: RESPONSE_BYTES - len(self.body)]
        if len(self.body) == RESPONSE_BYTES:
            self._end(None)

    def on_message_complete(self) -> None:
        if self._head_is_complete:
            self._end(None)
        else:
            self._in_message = False

    def _unreadable(self, error: HttpParserError) -> str:
        """What is wrong, by how far the answer came; the parser's own words are for who reads its source."""
        if isinstance(error, HttpParserInvalidStatusError):
            return "the status line has no valid status"
        if self._in_message and self._parser.get_status_code():
            return "one of the headers is not valid HTTP"
        return "it does not begin with a status line of HTTP/1"

    def _end(self, problem: str | None) -> None:
        if self.ended.done():
            return
        if not self._head_is_complete:
            self.problem = problem
        for future in (self.answered, self.ended):
            if not future.done():
                future.set_result(None)


class _Enough(Exception):
    """Raised in a callback of the parser, which nothing else stops in the middle of what it was given."""


def readable(text: bytes) -> str:
    """Bytes of an endpoint as text that every encoder and every database takes."""
    return text.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
