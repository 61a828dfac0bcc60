"""A request that a direct route answers, in the place of uvicorn's cycle of request and response."""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from stagedoor.api.direct import DirectRoute, Headers


class DirectRequest:
    """One request, from its head to its answer.

    Attributes:
        disconnected: The client has gone, or was refused.
        keep_alive: The connection goes on after the answer.
        response_started: The same as `response_complete`: an answer is written at once.
        response_complete: It is answered.
        waiting_for_100_continue: False: such a request does not come this way.
        message_event: What uvicorn sets when something has changed; no task waits for it.
    """

    __slots__ = (
        *("_answered", "_body", "_headers", "_route", "_state", "_transport"),
        *("disconnected", "keep_alive", "response_complete"),
    )
    waiting_for_100_continue: Final = False

    def __init__(
        self,
        route: DirectRoute,
        headers: Headers,
        transport: Transport,
        state: ServerState,
        answered: Callable[[], None],
    ) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False
        self._route = route
        self._headers = headers
        self._transport = transport
        self._state = state
        self._answered = answered
        self._body = b""

    @property
    def response_started(self) -> bool:
        return self.response_complete

    @property
    def message_event(self) -> DirectRequest:
        return self

    def set(self) -> None:
        """Nothing waits."""

    def add(self, body: bytes) -> None:
        """More of the body; how much may come the connection knows from the head."""
        self._body = self._body + body if self._body else body

    def complete(self) -> None:
        """The body is whole."""
        self._route.call(self._headers, self._body, self._write)

    def _write(self, status: int, rest: bytes) -> None:
        if self.disconnected:
            return
        self.response_complete = True
        head = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in self._state.default_headers)]
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        self._transport.write(b"".join((*head, rest)))
        if not self.keep_alive:
            self._transport.close()
        self._answered()
