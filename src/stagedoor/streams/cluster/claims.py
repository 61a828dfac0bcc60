"""Who sends to which room, kept in Redis: one connection a room on all nodes together, and the newest at that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.messages import Claim, Names

_LIFE_MS: Final = 7_000
"""So long after a node died its cameras are missed; three renewals may fail before."""

_TAKE: Final = """
local held = redis.call('get', KEYS[1])
if held and ARGV[3] == 'refuse' then
  local is, other = pcall(cjson.decode, held)
  local mine = cjson.decode(ARGV[1])
  if is and other.camera ~= mine.camera and other.node ~= mine.node then return 0 end
end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_KEEP: Final = """
local held = redis.call('get', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_DROP: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Claims:
    """This node's view of them.

    Every method raises Redis's errors.
    """

    def __init__(self, redis: Any, names: Names) -> None:
        self._redis = redis
        self._names = names

    async def take(self, claims: Mapping[str, Claim], politely: Collection[str]) -> set[str]:
        """Let new connections have their rooms.

        Args:
            claims: By room.
            politely: Rooms that are not taken from another camera, which came first.

        Returns:
            The rooms that stay another's.
        """
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            how = "refuse" if room in politely else "takeover"
            pipe.eval(_TAKE, 1, self._names.claim(room), msgspec.json.encode(mine), _LIFE_MS, how)
        return _failed(claims, await pipe.execute())

    async def keep(self, claims: Mapping[str, Claim]) -> set[str]:
        """Renew what was taken before, and return the rooms that are another's meanwhile."""
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            pipe.eval(_KEEP, 1, self._names.claim(room), msgspec.json.encode(mine), _LIFE_MS)
        return _failed(claims, await pipe.execute())

    async def drop(self, claims: Mapping[str, Claim]) -> None:
        """Withdraw them, where they have not become another's: the camera may have gone to another node."""
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            pipe.eval(_DROP, 1, self._names.claim(room), msgspec.json.encode(mine))
        await pipe.execute()

    async def of(self, rooms: Collection[str]) -> dict[str, Claim]:
        """Whose they are."""
        if not rooms:
            return {}
        values: list[bytes | None] = await self._redis.mget([self._names.claim(room) for room in rooms])
        found = {room: messages.claim(value) for room, value in zip(rooms, values, strict=True)}
        return {room: claim for room, claim in found.items() if claim is not None}


def _failed(claims: Mapping[str, Claim], answers: list[int]) -> set[str]:
    return {room for room, done in zip(claims, answers, strict=True) if not done}
