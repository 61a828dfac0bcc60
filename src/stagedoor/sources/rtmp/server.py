"""The RTMP server: its sockets, its clock, and all of its connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from stagedoor.sources.rtmp import metrics
from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.gate import Gate
from stagedoor.sources.rtmp.listener import Listener
from stagedoor.sources.rtmp.peer import Peer
from stagedoor.sources.rtmp.publishing import PublishHandler
from stagedoor.sources.rtmp.rare_log import RareLog
from stagedoor.sources.rtmp.settings import RtmpSettings

_TICK_SECONDS: Final = 0.5
"""Between two looks at what connections wait for."""

_LONGEST_STOP_SECONDS: Final = 1.0


class RtmpServer:
    """Serves encoders on sockets that are given.

    Args:
        handler: Decides who may publish, and takes the streams.
        settings: Limits and time-outs.
        certificate: For RTMPS; without one it is refused.
    """

    def __init__(self, handler: PublishHandler, settings: RtmpSettings, certificate: Certificate | None = None) -> None:
        self.handler = handler
        self.settings = settings
        self.gate = Gate(settings)
        self.rare_log = RareLog()
        self._certificate = certificate
        self._listeners: list[Listener] = []
        self._peers: set[Peer] = set()

    def listen(self, listening: socket.socket, *, tls_only: bool = False) -> None:
        """Take the connections of a listening socket, which is the server's from now on."""
        self._listeners.append(
            Listener(
                listening,
                self._serve,
                self.gate,
                self.rare_log,
                self.settings.rtmp_handshake_timeout,
                self._certificate,
                tls_only=tls_only,
            )
        )

    async def run(self) -> None:
        """Count time while there are connections, until cancelled."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await self.gate.occupied.wait()
            await asyncio.sleep(_TICK_SECONDS)
            now = loop.time()
            # While the process stood still, no encoder could send it anything.
            elapsed = min(now - before, 2 * _TICK_SECONDS)
            before = now
            for waiting in (*self._listeners, *self._peers):
                waiting.tick(elapsed)

    async def stop(self) -> None:
        """Take no more connections, and end all: encoders get a status, and streams are finished."""
        for listener in self._listeners:
            listener.close()
        ending = list(self._peers)
        await asyncio.gather(*(peer.stop() for peer in ending))
        if ending:
            _, pending = await asyncio.wait([peer.closed for peer in ending], timeout=_LONGEST_STOP_SECONDS)
            for peer in ending:
                if peer.closed in pending:
                    peer.abort()
            await asyncio.gather(*pending)

    def run_peer(self, peer: Peer, joined: Callable[[], None]) -> None:
        """Begin to count time for a connection, which was counted as a newcomer until now."""
        joined()
        self._peers.add(peer)
        metrics.CONNECTIONS.inc()
        self.gate.entered(peer)

    def forget(self, peer: Peer) -> None:
        """Forget a connection that has ended."""
        self._peers.discard(peer)
        metrics.CONNECTIONS.dec()
        self.gate.left(peer)

    async def _serve(
        self, connection: socket.socket, peer: str, certificate: Certificate | None, joined: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        timeout = None if certificate is None else float(self.settings.rtmp_handshake_timeout)
        try:
            await loop.connect_accepted_socket(
                lambda: Peer(self, peer, joined, tls=certificate is not None),
                connection,
                ssl=None if certificate is None else certificate.context(),
                ssl_handshake_timeout=timeout,
            )
        except (OSError, EOFError) as error:
            metrics.CLOSED.labels("tls").inc()
            self.rare_log.closed("tls", peer, f"The TLS handshake of a client failed ({error}).")
