"""LiveKit dies in a call: Stagedoor starts it again, and the state says what happened and when."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from stagedoor.kernel.clock import from_rfc3339, now_ms
from tests.support.product import eventually
from tests.support.rooms_callers import calling, ended_session, session_with, sessions_of
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow


async def test_the_old_session_ended_at_the_kill_and_a_new_one_begins(start: Start, rest: Rest) -> None:
    product = start()
    api = rest(product)
    async with calling(api, "demo", "ann", "bob") as callers:
        before = await session_with(api, "demo", 2, tracks=2)
        livekit = product.livekit_pid
        killed_at = now_ms()
        os.kill(livekit, signal.SIGKILL)
        old = await ended_session(api, before["id"], seconds=30)
        assert old["disposition"] == "server_lost"
        assert old["endedAtSource"] == "reconcile"
        assert killed_at <= from_rfc3339(old["endedAt"]) < killed_at + 3_000
        for person in old["participants"]:
            assert (person["state"], person["leftAt"], person["leftAtSource"]) == ("left", old["endedAt"], "reconcile")
            assert all(track["unpublishedAt"] == old["endedAt"] for track in person["tracks"])
        origins = {
            entry["origin"] for entry in old["timeline"] if entry["type"] in {"session.ended", "participant.left"}
        }
        assert origins == {"reconcile"}
        assert product.livekit_pid != livekit

        new = await session_with(api, "demo", 2, seconds=40)  # the SDK comes back by itself
        assert new["roomSid"] != old["roomSid"]
        assert new["id"] != old["id"]
        assert {person["identity"] for person in new["participants"]} == {"ann", "bob"}
        assert all("disconnected" not in caller.troubles for caller in callers)
        assert len(await sessions_of(api, "demo")) == 2


async def test_both_killed(start: Start, rest: Rest) -> None:
    """No process saw LiveKit die; what it had is over all the same."""
    product = start()
    api = rest(product)
    async with calling(api, "demo", "ann", "bob"):
        before = await session_with(api, "demo", 2, tracks=2)
        product.kill()
        os.kill(product.livekit_pid, signal.SIGKILL)
        killed_at = now_ms()
    product.start()
    old = await ended_session(api, before["id"])
    assert old["disposition"] == "server_lost"
    (end,) = [entry for entry in old["timeline"] if entry["type"] == "session.ended"]
    assert end["origin"] == "reconcile"
    assert from_rfc3339(before["startedAt"]) < from_rfc3339(old["endedAt"]) <= killed_at
    assert {person["state"] for person in old["participants"]} == {"left"}
    assert await sessions_of(api, "demo", "active") == []


async def test_an_external_livekit_killed_and_started_again(start: Start, rest: Rest) -> None:
    product = start("external")
    assert product.external is not None
    api = rest(product)
    async with calling(api, "demo", "ann", "bob"):
        before = await session_with(api, "demo", 2, tracks=2)
        last_sign = time.time() * 1000
        product.external.kill()

    async def not_ready() -> Any:
        status, body, _ = await api.raw("GET", "/ready")
        return body if status == 503 else None

    refusal = await eventually(not_ready)
    assert refusal["code"] == "not_ready"
    assert "LiveKit" in refusal["detail"]
    assert refusal["reasons"]

    pid = product.pid
    product.external.start()

    async def ready() -> bool:
        return (await api.raw("GET", "/ready"))[0] == 200

    await eventually(ready)
    old = await ended_session(api, before["id"])
    assert old["disposition"] == "server_lost"
    assert abs(from_rfc3339(old["endedAt"]) - last_sign) < 3_000, "as near as two seconds between comparisons allow"
    async with calling(api, "demo", "cleo", publish=False):
        new = await session_with(api, "demo", 1)
        assert new["roomSid"] != old["roomSid"]
    assert product.pid == pid
