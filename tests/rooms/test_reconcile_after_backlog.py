"""A reconcile judges what LiveKit's events reported, so the backlog is applied first."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import ServerState
from stagedoor.rooms.reconcile_worker import ReconcileWorker
from tests.support.rooms_harness import World, world_on
from tests.support.rooms_histories import play
from tests.support.rooms_invariants import is_whole, nothing_waits


class EmptyLiveKit(LiveKitGateway):
    """A LiveKit that has just started."""

    def __init__(self) -> None:
        super().__init__(Endpoint("http://127.0.0.1:9", "ws://127.0.0.1:9", "APInobody", "opens-nothing-anywhere"))

    async def list_everything(self) -> ServerState:
        return ServerState(now_ms(), ())


async def backlog_is_closed(world: World) -> None:
    events = play(Random(11), 250, names=("live-a", "live-b"), roomless=False, crashes=False).sent
    for sent in events:
        assert await world.receive(sent)
    gateway = EmptyLiveKit()
    worker = ReconcileWorker(gateway, world.reconciler, world.ban_enforcer, 60, world.applier.catch_up)
    await worker.once()
    await gateway.close()
    found = await world.snapshot()
    nothing_waits(found)
    is_whole(found)
    assert {session.state for session in found.sessions.values()} == {"ended"}, "LiveKit has none of these rooms"


async def test_sessions_of_the_backlog_are_closed_by_the_first_comparison(world: World) -> None:
    await backlog_is_closed(world)


@pytest.mark.slow
async def test_on_postgresql(postgres_world: World) -> None:
    await backlog_is_closed(postgres_world)


@pytest.mark.slow
async def test_another_node_that_applies_events_is_waited_for(postgres_url: str, postgres_world: World) -> None:
    """Two nodes take turns of a batch each, and neither compares before what both have taken on is applied."""
    async with world_on(postgres_url) as other:
        going = asyncio.create_task(other.applier.run())
        try:
            await backlog_is_closed(postgres_world)
        finally:
            going.cancel()
            await asyncio.wait({going})
