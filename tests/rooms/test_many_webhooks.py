"""When many webhooks come in, the next ones are let come together before they are applied; but none waits for long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from stagedoor.inbox import applier as applying
from stagedoor.inbox import store
from stagedoor.inbox.applier import BUSY, GATHER_SECONDS, LATEST_SECONDS
from stagedoor.kernel.clock import now_ms
from tests.support.api_webhook import room_event
from tests.support.rooms_harness import World

HOUR_MS = 3_600_000


class Arrivals:
    """Webhooks that come in during the applier's turns.

    Attributes:
        turns: How many come in during each turn that is still to come.
        waits: How long the applier waited for more.
    """

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns: list[int] = []
        self.waits: list[float] = []
        self.at: Callable[[], int] = now_ms
        self._lane = store.intake(world.database)
        write, sleep = world.database.write, asyncio.sleep

        async def writing(work: Any) -> Any:
            if self.turns:
                await self.come(self.turns.pop(0))
            return await write(work)

        async def sleeping(seconds: float) -> None:
            self.waits.append(seconds)
            await sleep(0)

        monkeypatch.setattr(world.database, "write", writing)
        monkeypatch.setattr(asyncio, "sleep", sleeping)
        monkeypatch.setattr(world.applier, "_turn_seconds", 3_600)  # so that a turn takes all there is

    async def come(self, count: int) -> None:
        await asyncio.gather(*(self._insert(number) for number in range(count)))

    async def _insert(self, number: int) -> None:
        event = room_event("room_started", f"live-{number}")
        row = (event["id"], event["event"], event["room"]["name"], self.at(), "APItest", "jwt")
        await self._lane.insert((*row, json.dumps(event).encode(), None, "pending", 0, None))


@pytest.fixture
def arrivals(world: World, monkeypatch: pytest.MonkeyPatch) -> Arrivals:
    return Arrivals(world, monkeypatch)


async def applied(world: World) -> set[str]:
    return {event.state for event in (await world.snapshot()).inbox}


async def test_many_are_let_come_together(world: World, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "LATEST_SECONDS", 3_600)  # a busy machine is slow
    arrivals.turns = [BUSY, BUSY, BUSY - 1]
    await world.applier.drain()
    assert arrivals.waits == [GATHER_SECONDS] * 2
    assert await applied(world) == {"applied"}


async def test_a_few_are_applied_at_once(world: World, arrivals: Arrivals) -> None:
    arrivals.turns = [1, BUSY - 1, 2]
    await world.applier.drain()
    assert arrivals.waits == []
    assert await applied(world) == {"applied"}


@pytest.mark.parametrize(
    "off", [-LATEST_SECONDS * 1000, -HOUR_MS, HOUR_MS], ids=["late", "very late", "clock set back"]
)
async def test_nothing_waits_for_more_when_it_is_late_already(world: World, arrivals: Arrivals, off: float) -> None:
    arrivals.at = lambda: now_ms() + int(off)
    arrivals.turns = [BUSY, BUSY]
    await world.applier.drain()
    assert arrivals.waits == []
    assert await applied(world) == {"applied"}


async def test_who_needs_all_applied_now_does_not_wait_for_more(world: World, arrivals: Arrivals) -> None:
    await arrivals.come(3)
    arrivals.turns = [BUSY, BUSY]
    await world.applier.catch_up()
    assert arrivals.waits == []


async def test_a_room_is_applied_without_reading_the_pending_events_of_others(world: World) -> None:
    sql, _ = store._EVENTS_OF_ROOM._sqlite  # pyright: ignore[reportPrivateUsage]
    plan = await world.database.read(
        lambda tx: tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("live-1", 1, 5_000)).all()
    )
    assert [("ix_inbox_livekit_room" in row[3], "seq<?" in row[3]) for row in plan] == [(True, True)]
