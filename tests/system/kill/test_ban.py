"""LiveKit does not revoke tokens: a banned identity that comes back with its old one is put out again."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.product import Api, RunningProduct, eventually
from tests.support.rooms_callers import Caller, calling, session_with, token_for
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow

SECONDS = 10.0
"""Comparisons, which would find him as well, come every ten minutes here."""


async def comes_and_is_removed(invitation: tuple[str, str]) -> float:
    """Join, and return after how many seconds one was put out."""
    caller = Caller()
    try:
        await caller.join(*invitation)
        began = time.monotonic()

        async def out() -> bool:
            return "disconnected" in caller.troubles

        await eventually(out, SECONDS)
        return time.monotonic() - began
    finally:
        await caller.leave()


async def banned(api: Api, product: RunningProduct) -> tuple[str, str]:
    """Ban `bob` from a room in which he is; his token from before."""
    invitation = await token_for(api, "demo", "bob")
    bob = Caller()
    await bob.join(*invitation)
    await session_with(api, "demo", 2)
    await api("DELETE", "/apps/live/rooms/demo/participants/bob?ban=10m", expect=204)

    async def out() -> bool:
        return "disconnected" in bob.troubles

    await eventually(out)
    await bob.leave()
    await session_with(api, "demo", 1)
    status, body, _ = await api.raw("POST", "/apps/live/tokens", {"room": "demo", "identity": "bob"})
    assert (status, body["code"]) == (409, "identity_banned")
    return invitation


async def test_one_who_comes_back_is_removed_each_time(start: Start, rest: Rest) -> None:
    product = start(STAGEDOOR_RECONCILE_INTERVAL="600")  # so that it is the webhook that has it done
    api = rest(product)
    async with calling(api, "demo", "ann", publish=False):
        invitation = await banned(api, product)
        for _ in range(2):
            assert await comes_and_is_removed(invitation) < SECONDS
        session = await session_with(api, "demo", 1)
        removed = [entry for entry in session["timeline"] if entry["type"] == "participant.removed"]
        assert [entry["subject"] for entry in removed] == ["bob"] * 3
        assert [entry["detail"].get("because") for entry in removed][1:] == ["ban", "ban"]


async def test_also_when_stagedoor_was_dead_when_he_came(start: Start, rest: Rest) -> None:
    product = start(STAGEDOOR_RECONCILE_INTERVAL="600")
    api = rest(product)
    async with calling(api, "demo", "ann", publish=False):
        invitation = await banned(api, product)
        product.kill()
        bob = Caller()
        await bob.join(*invitation)
        await asyncio.to_thread(product.start)
        ready = time.monotonic()

        async def out() -> bool:
            return "disconnected" in bob.troubles

        await eventually(out)
        assert time.monotonic() - ready < SECONDS
        await bob.leave()
        assert await comes_and_is_removed(invitation) < SECONDS
