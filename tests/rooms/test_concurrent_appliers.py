"""On PostgreSQL the applier, comparisons and replays run at the same time, on several nodes; no change is lost."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.support.rooms_harness import World, world_on
from tests.support.rooms_histories import play
from tests.support.rooms_invariants import has_one_story, is_livekits_state, is_whole

ROOMS = ("live-a", "live-b")


@pytest.mark.parametrize("seed", range(6))
async def test_nodes_that_work_at_the_same_time(postgres_world: World, postgres_url: str, seed: int) -> None:
    history = play(Random(seed), 60, names=ROOMS, crashes=False)
    done = False

    async def keeps_comparing(world: World) -> None:
        chance = Random(seed)
        while not done:
            await world.compare(chance.choice(history.listings))

    async def keeps_replaying(world: World) -> None:
        chance = Random(seed)
        while not done:
            applied = [event.id for event in (await world.snapshot()).inbox if event.state == "applied"]
            if applied:
                await world.replay(chance.choice(applied))

    async with world_on(postgres_url) as other:
        disturbing = [asyncio.create_task(work) for work in (keeps_comparing(other), keeps_replaying(other))]
        for sent in history.sent:
            await postgres_world.receive(sent)
            await asyncio.gather(postgres_world.applier.drain(), other.applier.drain())
        done = True
        await asyncio.gather(*disturbing)
        await postgres_world.applier.drain()
        await postgres_world.compare(history.model.listing())
        found = await postgres_world.snapshot()
    is_livekits_state(found, history.model.listing())
    is_whole(found)
    has_one_story(found)
