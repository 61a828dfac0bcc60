"""Redis goes and comes back, hangs, or refuses: what is on one node goes on, and the rest is taken up again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.streams.cluster.conftest import Make, Nodes, is_live, settings
from tests.streams.cluster.devices import sending, until, watching
from tests.support.product import Api, RunningProduct, clean_environment, eventually, running

ALONE = """
import json, sys
from types import SimpleNamespace
from stagedoor.services.services import Services
from stagedoor.settings.resolve import resolve
from stagedoor.streams.cluster.other_nodes import SingleNode
import stagedoor.app.startup, stagedoor.cli

instance = SimpleNamespace(settings=resolve({}, {}).settings)
assert isinstance(Services.other_nodes.__get__(instance, SimpleNamespace), SingleNode)
print(json.dumps([name for name in sys.modules if name.split(".")[0] == "redis"]))
"""


def complaints(node: RunningProduct, since: int) -> list[str]:
    """What the log says of Redis from a place on."""
    lines = node.log[since:].splitlines()
    assert not [line for line in lines if "Traceback" in line]
    return [line for line in lines if "redis_" in line]


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_it_goes_and_comes_back(
    how: str, nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    redis = nodes.redis
    go, come = (redis.stop, redis.start) if how == "stopped" else (redis.freeze, redis.thaw)
    door = await make()
    marks = {node: len(node.log) for node in (nodes.a, nodes.b)}
    async with (
        sending(http, nodes.a, door, "front") as device,
        watching(http, nodes.a, door.room) as near,
        watching(http, nodes.b, door.room) as far,
    ):
        await near.sees(3)
        await far.sees(3)
        device.waits_for.append(near)
        first = device.sent + 1
        await asyncio.to_thread(go)
        try:
            for node, mark in marks.items():
                await _says(node, mark, "redis_unavailable")
            await _answers_soon(http, nodes, door.room)
            await near.sees(10)
            lost, last = len(far.seen), device.sent
        finally:
            await asyncio.to_thread(come)
        await far.sees(10)
        numbers = [seen.number for seen in near.seen if seen.number >= first]
        assert numbers == list(range(first, first + len(numbers))), "nothing was missed beside the camera"
        assert max(seen.delay for seen in near.seen) < 2, "Redis is waited for by nobody who does not need it"
        assert all(seen.number >= last for seen in far.seen[lost + 1 :]), "and nothing old came late"
        assert await is_live(api, door)
        for node, mark in marks.items():
            await _says(node, mark, "redis_available")
            assert len(complaints(node, mark)) == 2, "once that it went, once that it came"


async def _says(node: RunningProduct, mark: int, what: str) -> None:
    async def logged() -> bool:
        return any(what in line for line in complaints(node, mark))

    await eventually(logged, 10)


async def _answers_soon(http: aiohttp.ClientSession, nodes: Nodes, room: str) -> None:
    """What needs Redis does not wait for it."""
    began = time.monotonic()
    async with http.get(f"{nodes.b.url}/live/live/{room}") as answer:
        assert not (await answer.json())["data"]["live"]
    assert time.monotonic() - began < 1


async def test_the_connections_of_one_node_break(nodes: Nodes, make: Make, http: aiohttp.ClientSession) -> None:
    door = await make()
    async with sending(http, nodes.a, door, "front"), watching(http, nodes.b, door.room) as viewer:
        names = {client["name"] for client in nodes.redis.asking.client_list() if client["name"]}
        assert len(names) == 2
        for name in names:
            await viewer.sees(3)
            for client in nodes.redis.asking.client_list():
                if client["name"] == name:
                    nodes.redis.asking.client_kill_filter(_id=client["id"])
            crossed = len(viewer.seen) + 5
            await until(lambda enough=crossed: len(viewer.seen) >= enough, 8)
        assert not viewer.left


async def test_cameras_that_came_and_went_meanwhile(nodes: Nodes, make: Make, http: aiohttp.ClientSession) -> None:
    """No node could be notified; the one that came last stays."""
    door = await make()
    async with sending(http, nodes.a, door, "first") as first, watching(http, nodes.b, door.room) as viewer:
        await viewer.sees(3)
        await asyncio.to_thread(nodes.redis.stop)
        try:
            async with sending(http, nodes.b, door, "second"):
                await viewer.sees(3, by="second")
                assert first.code is None
                await asyncio.to_thread(nodes.redis.start)
                assert await first.ended(8) == 4409
                async with watching(http, nodes.a, door.room) as beside:
                    await beside.sees(5, by="second")
                    assert beside.senders == ["second"]
                assert viewer.senders == ["first", "second"]
        finally:
            await asyncio.to_thread(nodes.redis.stop)
            await asyncio.to_thread(nodes.redis.start)


async def test_viewers_elsewhere_do_not_wait_indefinitely(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    await settings(api, cameraResume="1s")
    door = await make()
    async with (
        sending(http, nodes.a, door, "front"),
        watching(http, nodes.a, door.room) as near,
        watching(http, nodes.b, door.room) as far,
    ):
        await far.sees(3)
        await asyncio.to_thread(nodes.redis.stop)
        try:
            await until(lambda: far.left, 4)
            await near.sees(3)
        finally:
            await asyncio.to_thread(nodes.redis.start)


async def test_the_product_starts_without_it(nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession) -> None:
    door = await make()
    assert await asyncio.to_thread(nodes.b.stop) == 0
    await asyncio.to_thread(nodes.redis.stop)
    mark = len(nodes.b.log)
    try:
        await asyncio.to_thread(nodes.b.start)
        async with sending(http, nodes.b, door, "front"), watching(http, nodes.b, door.room) as viewer:
            await viewer.sees(3)
    finally:
        await asyncio.to_thread(nodes.redis.start)
    await _says(nodes.b, mark, "redis_available")
    async with sending(http, nodes.a, door, "front"):
        await eventually(lambda: is_live(api, door), 8)
        async with watching(http, nodes.b, door.room) as viewer:
            await viewer.sees(3)


async def test_a_wrong_password_is_reported_in_a_sentence(nodes: Nodes, tmp_path: Path) -> None:
    url = nodes.redis.url.replace("secret", "wrong")
    with running(tmp_path, STAGEDOOR_REDIS_URL=url) as product:
        await _says(product, 0, "STAGEDOOR_REDIS_URL")
        assert len(complaints(product, 0)) == 1
        assert "wrong" not in product.log


async def test_a_stopping_node_sends_a_leave_message(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    """The other node need not wait until this one is missed, and nothing is left at Redis."""
    door = await make()
    async with sending(http, nodes.a, door, "front") as device:
        await eventually(lambda: is_live(api, door), 2)
        try:
            assert await asyncio.to_thread(nodes.a.stop) == 0
            assert device.code == 1001
            assert not await is_live(api, door)
            assert nodes.redis.asking.keys("*") == []
        finally:
            await asyncio.to_thread(nodes.a.start)


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], env=clean_environment(), capture_output=True, check=True)
    assert json.loads(done.stdout) == []
