"""Requests that are answered at the connection, without ASGI's messages and without a task of their own.

Of what an acknowledgement of a webhook cost, a third was the way through ASGI: a task, an object for the request, two
messages out and one in, and a wake-up for each of the 64 that one commit had made durable. A direct route is given head
and body of a request that is whole, and a callback for its answer.

It is a front route as well, and answers so what the connection does not give it: a body of another kind or size, a
request that waits for an earlier one's answer, HTTP/1.0, and everything while traces are on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from stagedoor.api.front import FrontRoute, Reply, failed

Headers = Sequence[tuple[bytes, bytes]]
Answer = Callable[[Reply | BaseException], None]
Take = Callable[[Headers, bytes, Answer], None]
"""Takes a whole request and calls back once, at once or later; what it raises is an answer too."""

LARGEST_BODY: Final = 64 * 1024
"""Bytes that a connection keeps before the request is looked at; as many as uvicorn keeps for one that is not read."""


class DirectRoute:
    """A front route that takes whole requests.

    Args:
        route: The route that it is.
        take: What answers.
        largest: Bytes of a body that may come this way.
    """

    def __init__(self, route: FrontRoute, take: Take, largest: int) -> None:
        self.method = route.method.encode()
        self.largest = min(largest, LARGEST_BODY)
        self._route = route
        self._take = take
        self._usual: Reply | None = None
        self._usual_bytes = b""

    def call(self, headers: Headers, body: bytes, write: Callable[[int, bytes], None]) -> None:
        """Have a request answered.

        Args:
            headers: Of the request, their names in lower case.
            body: All of it.
            write: Called once with the status, and with headers and body as they are sent.
        """
        began = time.perf_counter()

        def answer(reply: Reply | BaseException) -> None:
            if isinstance(reply, BaseException):
                reply = failed(reply, self._route.path)
            self._route.count(reply.status, time.perf_counter() - began)
            write(reply.status, self._encoded(reply))

        try:
            self._take(headers, body, answer)
        except Exception as error:  # noqa: BLE001 - as the framework's handlers, which render whatever was raised
            answer(error)

    def _encoded(self, reply: Reply) -> bytes:
        if reply is not self._usual:
            head = [b"%b: %b\r\n" % pair for pair in (*reply.headers, *self._route.common_headers)]
            self._usual, self._usual_bytes = reply, b"".join((*head, b"\r\n", reply.body))
        return self._usual_bytes
