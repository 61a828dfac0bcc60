"""SIGTERM with people in a room: everything ends in order, and the database says so."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from stagedoor.kernel.clock import from_rfc3339, now_ms
from tests.support.rooms_callers import calling, session_with
from tests.support.rooms_harness import snapshot_of
from tests.support.rooms_invariants import has_one_story, is_whole, nothing_waits
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow


async def test_the_session_is_closed_with_its_times(start: Start, rest: Rest) -> None:
    product = start()
    api = rest(product)
    async with calling(api, "demo", "ann", "bob"):
        before = await session_with(api, "demo", 2, tracks=2)
        livekit = product.livekit_pid
        asked_at = now_ms()
        assert await asyncio.to_thread(product.stop) == 0
        gone_at = now_ms()
    assert not psutil.pid_exists(livekit)
    found = await snapshot_of(product.data_dir / "stagedoor.db")
    session = found.sessions[before["roomSid"]]
    assert (session.id, session.state, session.disposition) == (before["id"], "ended", "server_lost")
    assert session.started_at == from_rfc3339(before["startedAt"])
    assert session.ended_at is not None
    assert asked_at - 1_000 <= session.ended_at <= gone_at
    assert session.peak_participants == 2
    people = found.people_of(session)
    assert {(person.identity, person.state) for person in people} == {("ann", "left"), ("bob", "left")}
    for person in people:
        assert person.left_at is not None
        assert asked_at - 1_000 <= person.left_at <= gone_at
        assert person.joined_at_source == "livekit"
    is_whole(found)
    has_one_story(found)
    nothing_waits(found)
