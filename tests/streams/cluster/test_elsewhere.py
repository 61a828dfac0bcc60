"""A camera on one node is seen on another by every way out, and frames cross only to nodes with a viewer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from tests.streams.cluster.conftest import Make, Nodes, is_live
from tests.streams.cluster.devices import Seen, sending, until, watching, watching_mjpeg
from tests.support.product import Api, eventually
from tests.support.redis import RedisServer


async def test_it_is_seen_by_every_way_out(nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession) -> None:
    camera = await make()
    url = f"{nodes.b.url}/live/live/{camera.room}"
    async with http.get(f"{url}/frame.jpg") as answer:
        assert answer.status == 404
    async with sending(http, nodes.a, camera, "front") as device:
        await eventually(lambda: is_live(api, camera))
        async with http.get(f"{url}/frame.jpg") as answer:
            assert answer.status == 200, await answer.text()
            assert Seen.of(await answer.read()).delay < 1
        async with http.get(url) as answer:
            assert (await answer.json())["data"]["live"]
        async with (
            watching(http, nodes.b, camera.room) as by_socket,
            watching_mjpeg(http, nodes.b, camera.room) as by_mjpeg,
            watching(http, nodes.a, camera.room) as beside_it,
        ):
            viewers = (by_socket, by_mjpeg, beside_it)
            for viewer in viewers:
                await viewer.sees(1)
            device.waits_for.extend(viewers)
            first = device.sent + 1
            for viewer in viewers:
                await until(lambda viewer=viewer: not viewer.behind(first + 20))
                numbers = [seen.number for seen in viewer.seen if seen.number >= first]
                assert numbers == list(range(first, first + len(numbers))), "each, once, in order"
                assert statistics.median(seen.delay for seen in viewer.seen) < 0.5, "nothing is polled"
    await eventually(lambda: _is_gone(api, nodes, http, camera.room, camera))


async def _is_gone(api: Api, nodes: Nodes, http: aiohttp.ClientSession, room: str, camera: Any) -> bool:
    async with http.get(f"{nodes.b.url}/live/live/{room}/frame.jpg") as answer:
        return answer.status == 404 and not await is_live(api, camera)


async def test_one_snapshot_after_the_other_waits_for_nothing(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    cameras = [await make() for _ in range(3)]
    async with AsyncExitStack() as stack:
        for camera in cameras:
            await stack.enter_async_context(sending(http, nodes.a, camera, "front", fps=5))
        await eventually(lambda: is_live(api, cameras[-1]))
        rounds: list[float] = []
        for _ in range(3):
            began = time.monotonic()
            for camera in cameras:
                async with http.get(f"{nodes.b.url}/live/live/{camera.room}/frame.jpg") as answer:
                    assert answer.status == 200, await answer.text()
                    assert Seen.of(await answer.read()).delay < 1
            rounds.append(time.monotonic() - began)
        # What is only looked up now and then would take twice as long, each time.
        assert min(rounds) < 0.85, rounds


async def test_frames_cross_while_there_is_a_viewer_and_not_otherwise(
    nodes: Nodes, make: Make, http: aiohttp.ClientSession
) -> None:
    camera, redis = await make(), nodes.redis
    async with sending(http, nodes.a, camera, "front") as device, watching(http, nodes.a, camera.room) as near:
        await near.sees(1)
        assert await _crossing(redis, device.sends(20)) == {}
        async with watching(http, nodes.b, camera.room) as first, watching(http, nodes.b, camera.room) as second:
            await first.sees(1)
            await second.sees(1)
            assert redis.listened() == {camera.room}
            crossed = await _crossing(redis, first.sees(10))
            assert set(crossed) == {camera.room}
            assert crossed[camera.room] <= 12, "once, however many look"
        await until(lambda: not redis.listened(), 2)
        await device.sends(2)
        assert await _crossing(redis, device.sends(20)) == {}


async def test_only_the_cameras_that_are_looked_at_cross(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    cameras = [await make() for _ in range(50)]
    async with AsyncExitStack() as stack:
        for i, camera in enumerate(cameras):
            await stack.enter_async_context(sending(http, nodes.a, camera, f"camera-{i}", fps=10))
        await eventually(lambda: is_live(api, cameras[-1]))
        looked_at = cameras[::10]
        viewers = [await stack.enter_async_context(watching(http, nodes.b, camera.room)) for camera in looked_at]
        for viewer in viewers:
            await viewer.sees(3)
        crossed = await _crossing(nodes.redis, asyncio.gather(*(viewer.sees(20) for viewer in viewers)))
        assert set(crossed) == nodes.redis.listened() == {camera.room for camera in looked_at}
        assert max(crossed.values()) <= 30
        for i, viewer in enumerate(viewers):
            assert viewer.senders == [f"camera-{i * 10}"]


async def _crossing(redis: RedisServer, meanwhile: Any) -> Counter[str]:
    """How many frames of which rooms were published meanwhile."""
    found: Counter[str] = Counter()

    def listen(monitor: Any) -> None:
        while True:
            command = monitor.next_command()["command"]
            if command.startswith("ECHO"):
                return
            if command.startswith("PUBLISH") and ":frames:" in command:
                found[command.split(":frames:")[1].split(" ")[0]] += 1

    with redis.asking.monitor() as monitor:
        listening = asyncio.create_task(asyncio.to_thread(listen, monitor))
        await meanwhile
        redis.asking.echo("enough")
        await listening
    return found
