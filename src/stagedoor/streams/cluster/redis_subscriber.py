"""The connection by which a node listens to others.

Redis's client has a class for this, which connects and subscribes anew behind its caller's back, from whichever task
meets the loss first; two tasks then read one stream. Here a lost connection is an error and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from redis.exceptions import ConnectionError as Lost

_SILENCE_SECONDS: Final = 7.0
"""Longer than the time between two pings: a connection on which nothing comes for so long is dead."""


class RedisSubscriber:
    """One subscriber. Every method raises Redis's errors."""

    def __init__(self, redis: Any) -> None:
        self._connection: Any = redis.connection_pool.make_connection()

    async def subscribe(self, *channels: str) -> None:
        """Ask to hear them; that it is so comes as a message."""
        await self._connection.send_command("SUBSCRIBE", *channels)

    async def unsubscribe(self, *channels: str) -> None:
        """Hear them no more."""
        await self._connection.send_command("UNSUBSCRIBE", *channels)

    async def ping(self) -> None:
        """Have something to hear."""
        await self._connection.send_command("PING")

    async def messages(self) -> AsyncGenerator[tuple[str, str, bytes]]:
        """What comes: its kind (`message`, `subscribe`), the channel and the content, for ever."""
        while True:
            answer = await self._connection.read_response(timeout=_SILENCE_SECONDS, disconnect_on_error=False)
            if answer is None:
                raise Lost(f"Redis said nothing for {_SILENCE_SECONDS:g} seconds.")
            kind, channel, content = answer if len(answer) == 3 else (answer[0], b"", b"")
            yield kind.decode(), channel.decode("utf-8", "replace"), content

    async def close(self) -> None:
        """Hang up."""
        await self._connection.disconnect(nowait=True)
