"""Claims in Redis: for each room, the one connection of the whole cluster that sends to it, normally the newest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.messages import Claim, Names

_LIFE_MS: Final = 7_000
"""A claim expires this long after its node died; up to three renewals in a row may fail before that."""

_ACQUIRE: Final = """
local held = redis.call('get', KEYS[1])
if held and ARGV[3] == 'refuse' then
  local is, other = pcall(cjson.decode, held)
  local mine = cjson.decode(ARGV[1])
  if is and other.camera ~= mine.camera and other.node ~= mine.node then return 0 end
end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RENEW: Final = """
local held = redis.call('get', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Claims:
    """Acquires, renews and releases this node's claims. Every method raises Redis's errors."""

    def __init__(self, redis: Any, names: Names) -> None:
        self._redis = redis
        self._names = names

    async def acquire(self, claims: Mapping[str, Claim], unless_taken: Collection[str]) -> set[str]:
        """Acquire the claims of new connections.

        Args:
            claims: The claims, by room.
            unless_taken: Rooms whose claim is not replaced when another camera on another node holds it.

        Returns:
            The rooms whose claim was not acquired.
        """
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            how = "refuse" if room in unless_taken else "takeover"
            pipe.eval(_ACQUIRE, 1, self._names.claim(room), msgspec.json.encode(mine), _LIFE_MS, how)
        return _failed(claims, await pipe.execute())

    async def renew(self, claims: Mapping[str, Claim]) -> set[str]:
        """Renew claims that were acquired before, and return the rooms whose claim another connection now holds."""
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            pipe.eval(_RENEW, 1, self._names.claim(room), msgspec.json.encode(mine), _LIFE_MS)
        return _failed(claims, await pipe.execute())

    async def release(self, claims: Mapping[str, Claim]) -> None:
        """Delete the claims that are unchanged: another node replaced the claim of a camera that connected there."""
        pipe = self._redis.pipeline(transaction=False)
        for room, mine in claims.items():
            pipe.eval(_RELEASE, 1, self._names.claim(room), msgspec.json.encode(mine))
        await pipe.execute()

    async def of(self, rooms: Collection[str]) -> dict[str, Claim]:
        """The current claims of these rooms, by room."""
        if not rooms:
            return {}
        values: list[bytes | None] = await self._redis.mget([self._names.claim(room) for room in rooms])
        found = {room: messages.claim(value) for room, value in zip(rooms, values, strict=True)}
        return {room: claim for room, claim in found.items() if claim is not None}


def _failed(claims: Mapping[str, Claim], answers: list[int]) -> set[str]:
    return {room for room, done in zip(claims, answers, strict=True) if not done}
