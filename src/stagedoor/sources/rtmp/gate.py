"""How many connections there may be, and from where: strangers must not keep encoders out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol

from stagedoor.kernel.rate import Rate
from stagedoor.kernel.wrong_keys import WrongKeys
from stagedoor.sources.rtmp.settings import RtmpSettings


class Admitted(Protocol):
    """A connection that the gate may end."""

    peer: str

    def evict(self) -> None:
        """End the connection, to make room."""
        ...


class Gate:
    """Counts the connections of one server.

    Attributes:
        occupied: Set while there is a connection.
    """

    def __init__(self, settings: RtmpSettings) -> None:
        self._most = settings.rtmp_max_connections
        self._most_half_open = settings.rtmp_max_half_open
        self._connects = Rate(settings.rtmp_max_connects_per_second, 1)
        self._wrong_keys = WrongKeys()
        self._half_open: dict[Admitted, None] = {}
        self._of_address: Counter[str] = Counter()
        self._all: set[Admitted] = set()
        self.occupied = asyncio.Event()

    def refuses(self, peer: str) -> str | None:
        """Why a new connection from an address is not taken: `connections` or `rate`."""
        if not self._connects.take(peer):
            return "rate"
        return "connections" if len(self._all) >= self._most else None

    def entered(self, connection: Admitted) -> None:
        """Count a connection that does not publish yet; end another if there are too many of those."""
        self._all.add(connection)
        self.occupied.set()
        self.waits(connection)
        if len(self._half_open) > self._most_half_open:
            crowd, _ = self._of_address.most_common(1)[0]
            oldest = next(each for each in self._half_open if each.peer == crowd)
            self.publishes(oldest)  # it counts no more, although its socket takes a moment to close
            oldest.evict()

    def waits(self, connection: Admitted) -> None:
        """Count a connection as one that does not publish, or not any more."""
        if connection not in self._half_open:
            self._half_open[connection] = None
            self._of_address[connection.peer] += 1

    def publishes(self, connection: Admitted) -> None:
        """Count a connection as one that publishes."""
        if connection in self._half_open:
            del self._half_open[connection]
            self._of_address[connection.peer] -= 1
            if not self._of_address[connection.peer]:
                del self._of_address[connection.peer]

    def left(self, connection: Admitted) -> None:
        """Forget a connection."""
        self.publishes(connection)
        self._all.discard(connection)
        if not self._all:
            self.occupied.clear()

    def wrong_key(self, peer: str) -> bool:
        """Count a wrong key; returns whether it is answered with a status. Further ones are disconnected at once."""
        return self._wrong_keys.refusal(peer) is None
