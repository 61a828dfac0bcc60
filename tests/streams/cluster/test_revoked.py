"""A key that is changed through one node ends its camera's connection on another."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.streams.cluster.conftest import Make, Nodes
from tests.streams.cluster.devices import sending
from tests.support.product import Api

REVOKED = 4401
LOOK_S = 5.0


async def test_within_five_seconds(nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession) -> None:
    rotated, disabled, deleted, stays = [await make() for _ in range(4)]
    async with (
        sending(http, nodes.a, rotated, "rotated") as first,
        sending(http, nodes.a, disabled, "disabled") as second,
        sending(http, nodes.a, deleted, "deleted") as third,
        sending(http, nodes.a, stays, "stays") as fourth,
    ):
        await api("POST", f"{rotated.path}/rotate")
        await api("PATCH", disabled.path, {"enabled": False})
        await api("DELETE", deleted.path)
        codes = await asyncio.gather(*(device.ended(LOOK_S + 1) for device in (first, second, third)))
        assert codes == [REVOKED] * 3
        await fourth.sends(3)
        assert fourth.code is None
