"""A listening socket: takes connections, and looks at their first bytes before anything is kept for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

from stagedoor.sources.rtmp import metrics
from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.gate import Gate
from stagedoor.sources.rtmp.rare_log import RareLog
from stagedoor.sources.rtmp.sniffing import PEEKED, SENTENCES, Spoken, spoken

ACCEPTED_AT_ONCE: Final = 64
"""Connections that are taken before others have their turn."""

Serve = Callable[[socket.socket, str, "Certificate | None", Callable[[], None]], Coroutine[None, None, None]]
"""Serves a connection; the last argument is to be called as soon as it is counted otherwise."""


class Newcomer:
    """A connection that has not sent a byte yet, or whose TLS handshake is not done.

    Args:
        listener: Where it came.
        connection: Its socket.
        peer: Its IP address.
    """

    def __init__(self, listener: Listener, connection: socket.socket, peer: str) -> None:
        self.peer = peer
        self._listener = listener
        self._connection = connection
        self._waited = 0.0
        self._serving: asyncio.Task[None] | None = None
        asyncio.get_running_loop().add_reader(connection, self._readable)

    def tick(self, elapsed: float) -> None:
        """Count time in which it had the chance to send."""
        self._waited += elapsed
        if self._waited > self._listener.timeout and self._serving is None:  # TLS has a time-out of its own
            self.refuse("handshake", "The client sent nothing.")

    def evict(self) -> None:
        """End it, because there are too many."""
        self.refuse("half_open", "There are too many connections that do not publish.")

    def refuse(self, reason: str, sentence: str) -> None:
        """End it."""
        metrics.CLOSED.labels(reason).inc()
        self._listener.rare_log.closed(reason, self.peer, sentence)
        self.close()

    def close(self) -> None:
        """Close its socket."""
        self._listener.forget(self)
        if self._serving is not None:
            self._serving.cancel()
            return
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()

    def _serve(self, certificate: Certificate | None) -> None:
        asyncio.get_running_loop().remove_reader(self._connection)
        serving = self._listener.serve(self._connection, self.peer, certificate, partial(self._listener.forget, self))
        self._serving = asyncio.create_task(serving, name="rtmp connection")
        self._serving.add_done_callback(self._served)

    def _served(self, serving: asyncio.Task[None]) -> None:
        self._listener.forget(self)
        if serving.cancelled():
            self._connection.close()

    def _readable(self) -> None:
        try:
            first = self._connection.recv(PEEKED, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if not first:
            self.close()
            return
        speaks = spoken(first)
        if speaks == "tls" and self._listener.certificate is None:
            self.refuse("tls", SENTENCES["tls"])
        elif speaks == "tls" or (speaks == "rtmp" and not self._listener.tls_only):
            self._serve(self._listener.certificate if speaks == "tls" else None)
        else:
            self._refuse_other(speaks)

    def _refuse_other(self, speaks: Spoken) -> None:
        if speaks == "rtmp":
            self.refuse("not_rtmp", "A client speaks RTMP without TLS to the port for RTMPS; use rtmps://.")
        else:
            self.refuse(speaks, SENTENCES[speaks])


class Listener:
    """Takes the connections of one socket.

    Attributes:
        certificate: For TLS; without one it is refused.
        tls_only: Whether anything else is refused.
        timeout: Seconds until a connection must have sent a byte.
    """

    def __init__(
        self,
        listening: socket.socket,
        serve: Serve,
        gate: Gate,
        rare_log: RareLog,
        timeout: float,
        certificate: Certificate | None,
        *,
        tls_only: bool,
    ) -> None:
        self.serve = serve
        self.rare_log = rare_log
        self.certificate = certificate
        self.tls_only = tls_only
        self.timeout = timeout
        self._listening = listening
        self._gate = gate
        self._newcomers: set[Newcomer] = set()
        listening.setblocking(False)
        asyncio.get_running_loop().add_reader(listening, self._accept)

    def tick(self, elapsed: float) -> None:
        """Count time for those who have not sent a byte."""
        for newcomer in list(self._newcomers):
            newcomer.tick(elapsed)

    def close(self) -> None:
        """Take no more connections."""
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        for newcomer in list(self._newcomers):
            newcomer.close()

    def forget(self, newcomer: Newcomer) -> None:
        """Forget a connection that is served or closed."""
        if newcomer in self._newcomers:
            self._newcomers.discard(newcomer)
            self._gate.left(newcomer)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except OSError:  # there is none, it has left already, or there are too many open files
                return
            peer = str(address[0])
            reason = self._gate.refuses(peer)
            if reason is not None:
                metrics.CLOSED.labels(reason).inc()
                self.rare_log.closed(reason, peer, "There are too many connections, or too many at once of an address.")
                connection.close()
                continue
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            newcomer = Newcomer(self, connection, peer)
            self._newcomers.add(newcomer)
            self._gate.entered(newcomer)
