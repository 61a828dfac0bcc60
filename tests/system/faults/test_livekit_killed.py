"""LiveKit dies without a word while its webhooks suffer, and comes back without any room."""

from __future__ import annotations

import asyncio

import pytest

from stagedoor.kernel.clock import from_rfc3339, now_ms
from tests.system.faults.conftest import Stage
from tests.system.faults.plan import Plan
from tests.system.faults.verdict import all_arrived, all_ended, becomes_livekits, is_right, reported

pytestmark = pytest.mark.slow


async def test_what_it_had_is_over_and_what_comes_is_new(stage: Stage) -> None:
    stage.proxy.plan = Plan(4)
    scenario = stage.scenario
    await scenario.join("live-a", "ann")
    await scenario.publish("live-a", "ann")
    await scenario.join("live-a", "bob")
    await scenario.join("live-b", "cleo")
    await stage.chronicle.compared()
    lost = {life.sid for life in (await stage.chronicle.now()).lives}
    stage.livekit.kill()
    killed_at = now_ms()
    await scenario.forsake()
    await asyncio.to_thread(stage.livekit.start)
    await scenario.join("live-a", "ann")
    await stage.proxy.calm()
    await all_arrived(stage)
    await becomes_livekits(stage)
    await all_ended(stage)
    sessions = {session["roomSid"]: session for session in await reported(stage.api)}
    assert len(lost) == 2
    for sid in lost:
        assert (sessions[sid]["disposition"], sessions[sid]["endedAtSource"]) == ("server_lost", "reconcile")
        assert from_rfc3339(sessions[sid]["endedAt"]) <= killed_at
    await is_right(stage)
