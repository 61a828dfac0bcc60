"""Stagedoor dies during a call, and the call goes on."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.rooms_callers import Caller, calling, session_with, token_for
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow

LONGEST_GAP_SECONDS = 2.0
"""Between two frames of twenty a second; on a busy machine the SDK itself pauses for some tenths of a second."""


async def test_the_call_goes_on_and_so_does_its_session(start: Start, rest: Rest) -> None:
    product = start()
    api = rest(product)
    cleo = Caller()
    async with calling(api, "demo", "ann", "bob", "dora") as (ann, bob, dora):
        before = await session_with(api, "demo", 3, tracks=3)
        dora_sid = dora.sid
        invitation = await token_for(api, "demo", "cleo")
        livekit = product.livekit_pid
        began = time.monotonic()
        product.kill()
        # One comes, one goes and one shows a second picture while no webhook is taken.
        await cleo.join(*invitation)
        await dora.leave()
        await bob.publish()
        await asyncio.to_thread(product.start)
        assert product.livekit_pid == livekit
        after = await session_with(api, "demo", 3, tracks=3)
        ended = time.monotonic()
        same = ("id", "roomSid", "startedAt")
        assert [after[field] for field in same] == [before[field] for field in same]
        states = {person["sid"]: person["state"] for person in after["participants"]}
        assert states == {ann.sid: "active", bob.sid: "active", cleo.sid: "active", dora_sid: "left"}
        assert after["peakParticipants"] >= 3
        for caller in (ann, bob):
            assert caller.troubles == []
            assert caller.largest_gap(began, ended) < LONGEST_GAP_SECONDS
        await cleo.leave()
