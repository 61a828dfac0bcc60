"""The connection on which a node receives the messages of other nodes.

redis-py's `PubSub` reconnects and subscribes again implicitly, from whichever task notices the loss first; two tasks
then read one stream. `RedisSubscriber` raises an error instead when the connection is lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from redis.exceptions import ConnectionError as Lost

_SILENCE_SECONDS: Final = 7.0
"""Longer than the interval of pings: a connection on which nothing arrives for this long is dead."""


class RedisSubscriber:
    """One connection with its subscriptions. Every method raises Redis's errors."""

    def __init__(self, redis: Any) -> None:
        self._connection: Any = redis.connection_pool.make_connection()

    async def subscribe(self, *channels: str) -> None:
        """Request subscriptions; `messages` yields a `subscribe` for each channel once it is subscribed."""
        await self._connection.send_command("SUBSCRIBE", *channels)

    async def unsubscribe(self, *channels: str) -> None:
        """Cancel subscriptions."""
        await self._connection.send_command("UNSUBSCRIBE", *channels)

    async def ping(self) -> None:
        """Send a ping, so that a reply is due."""
        await self._connection.send_command("PING")

    async def messages(self) -> AsyncGenerator[tuple[str, str, bytes]]:
        """Yield what arrives until cancelled: its kind (`message`, `subscribe`), the channel and the content."""
        while True:
            answer = await self._connection.read_response(timeout=_SILENCE_SECONDS, disconnect_on_error=False)
            if answer is None:
                raise Lost(f"Redis sent nothing for {_SILENCE_SECONDS:g} seconds.")
            kind, channel, content = answer if len(answer) == 3 else (answer[0], b"", b"")
            yield kind.decode(), channel.decode("utf-8", "replace"), content

    async def close(self) -> None:
        """Close the connection without waiting for the server."""
        await self._connection.disconnect(nowait=True)
