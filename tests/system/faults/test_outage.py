"""Stagedoor is away for longer than LiveKit keeps its webhooks."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.product import ExternalLiveKit, eventually
from tests.system.faults.conftest import Stage
from tests.system.faults.verdict import all_arrived, all_ended, becomes_livekits, is_right

pytestmark = pytest.mark.slow


def given_up(livekit: ExternalLiveKit) -> list[str]:
    """Ids of the webhooks that LiveKit will not send any more, by its own log."""
    lines = [json.loads(line) for line in livekit.log.splitlines() if line.startswith("{") and '"webhook' in line]
    return [line["id"] for line in lines if line["msg"] in {"failed to send webhook", "dropped webhook"}]


async def test_what_livekit_gave_up_is_found_out_by_comparing(stage: Stage) -> None:
    """Of two events of a room, tried one after the other for 15 s each, LiveKit gives up the second after 30 s."""
    scenario = stage.scenario
    await scenario.join("live-a", "ann")
    await scenario.publish("live-a", "ann")
    await scenario.join("live-a", "bob")
    await scenario.join("live-b", "bob")
    await scenario.publish("live-b", "bob")
    await becomes_livekits(stage)
    stage.product.kill()

    await scenario.leave("live-a", "bob")
    await scenario.join("live-a", "cleo")  # her coming is given up, and that she publishes may arrive
    await scenario.publish("live-a", "cleo")
    await scenario.vacate("live-b")  # the room that Stagedoor knew ends,
    await scenario.join("live-b", "bob")
    await scenario.publish("live-b", "bob")
    await scenario.vacate("live-b")  # one that it never saw begins and ends,
    await scenario.join("live-b", "ann")  # and a third lasts

    async def both_rooms_gave_up() -> bool:
        return len(await asyncio.to_thread(given_up, stage.livekit)) >= 4

    await eventually(both_rooms_gave_up, 60)
    lost = set(given_up(stage.livekit))
    await asyncio.to_thread(stage.product.start)
    await all_arrived(stage)
    await becomes_livekits(stage)
    await all_ended(stage)
    found = await is_right(stage)
    assert lost.isdisjoint(event.id for event in found.inbox)
