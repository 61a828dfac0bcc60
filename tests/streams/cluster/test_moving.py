"""A camera that comes to another node: it takes over at once, viewers stay where they are, and frames never mix."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.streams.cluster.conftest import Make, Nodes, camera, is_live, settings
from tests.streams.cluster.devices import Device, Made, sending, until, watching, watching_mjpeg
from tests.support.product import Api, RunningProduct, eventually

REPLACED = 4409


async def test_the_same_key_takes_over_and_viewers_see_on(
    nodes: Nodes, make: Make, http: aiohttp.ClientSession
) -> None:
    door = await make()
    async with (
        sending(http, nodes.a, door, "first", fps=50) as first,
        watching(http, nodes.a, door.room) as on_a,
        watching_mjpeg(http, nodes.b, door.room) as on_b,
    ):
        await on_a.sees(3)
        await on_b.sees(3)
        async with sending(http, nodes.b, door, "second", fps=50) as second:
            assert await first.ended(1.0) == REPLACED
            await on_a.sees(20, by="second")
            await on_b.sees(20, by="second")
            async with sending(http, nodes.a, door, "third", fps=50):
                assert await second.ended(1.0) == REPLACED
                for viewer in (on_a, on_b):
                    await viewer.sees(20, by="third")
                    assert viewer.senders == ["first", "second", "third"]
    assert not on_a.left
    assert not on_b.left


async def test_no_placeholder_is_shown_in_between(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    await settings(api, cameraSlate=True)
    door = await make()
    async with sending(http, nodes.a, door, "first") as first, watching(http, nodes.a, door.room) as viewer:
        await viewer.sees(3)
        async with sending(http, nodes.b, door, "second"):
            assert await first.ended(1.0) == REPLACED
            await viewer.sees(3, by="second")
            assert viewer.senders == ["first", "second"]


async def test_two_cameras_of_one_room(nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession) -> None:
    one = await make()
    other = await camera(api, one.room)
    async with sending(http, nodes.a, one, "one") as first, watching(http, nodes.b, one.room) as viewer:
        await viewer.sees(3)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await _connect(http, nodes, other)
        assert refused.value.status == 409
        await settings(api, cameraConflict="takeover")
        async with sending(http, nodes.b, other, "other"):
            assert await first.ended(1.0) == REPLACED
            await viewer.sees(20, by="other")
            assert viewer.senders == ["one", "other"]
            assert await is_live(api, other)
            assert not await is_live(api, one)


async def _connect(http: aiohttp.ClientSession, nodes: Nodes, made: Made) -> None:
    async with sending(http, nodes.b, made, "other"):
        pass


@pytest.mark.parametrize("policy", ["refuse", "takeover"])
async def test_of_two_that_come_at_the_same_moment_one_stays(
    policy: str, nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    await settings(api, cameraConflict=policy)
    for _ in range(3):
        one = await make()
        two = await camera(api, one.room)
        async with AsyncExitStack() as stack:
            devices = await asyncio.gather(
                *(
                    _one_of_two(stack, http, node, made, name)
                    for node, made, name in ((nodes.a, one, "one"), (nodes.b, two, "two"))
                )
            )
            (stays,) = await _one_stays([device for device in devices if device is not None])
            async with watching(http, nodes.a, one.room) as on_a, watching(http, nodes.b, one.room) as on_b:
                await on_a.sees(5)
                await on_b.sees(5)
                assert on_a.senders == on_b.senders == [stays.name]


async def _one_stays(connected: list[Device]) -> list[Device]:
    def open_still() -> list[Device]:
        return [device for device in connected if not device.closed.is_set()]

    await until(lambda: len(open_still()) == 1, 2)
    stays = open_still()
    assert all(device.code == REPLACED for device in connected if device not in stays)
    return stays


async def _one_of_two(
    stack: AsyncExitStack, http: aiohttp.ClientSession, node: RunningProduct, made: Made, name: str
) -> Device | None:
    try:
        return await stack.enter_async_context(sending(http, node, made, name))
    except aiohttp.WSServerHandshakeError as refused:
        if refused.status != 409:
            raise
        return None


async def test_viewers_wait_for_it_and_see_it_again_from_either_node(
    nodes: Nodes, make: Make, http: aiohttp.ClientSession
) -> None:
    door = await make()
    async with AsyncExitStack() as stack:
        async with sending(http, nodes.a, door, "first"):
            viewer = await stack.enter_async_context(watching(http, nodes.b, door.room))
            await viewer.sees(3)
        for name, node in (("second", nodes.a), ("third", nodes.b), ("fourth", nodes.a)):
            async with sending(http, node, door, name):
                await viewer.sees(3, by=name)
        assert viewer.senders == ["first", "second", "third", "fourth"]


async def test_viewers_leave_when_it_stays_away(
    nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession
) -> None:
    await settings(api, cameraResume="1s")
    door = await make()
    async with AsyncExitStack() as stack:
        async with sending(http, nodes.a, door, "only"):
            viewer = await stack.enter_async_context(watching(http, nodes.b, door.room))
            await viewer.sees(3)
        gone = time.monotonic()
        await until(lambda: viewer.left, 5)
        assert time.monotonic() - gone > 0.9


async def test_a_node_that_is_killed_is_missed(nodes: Nodes, api: Api, make: Make, http: aiohttp.ClientSession) -> None:
    patient, impatient = await make(), await make()
    async with AsyncExitStack() as stack:
        async with sending(http, nodes.a, patient, "first"), sending(http, nodes.a, impatient, "other"):
            stays = await stack.enter_async_context(watching(http, nodes.b, patient.room))
            await stays.sees(3)
            await settings(api, cameraResume="1s")
            leaves = await stack.enter_async_context(watching(http, nodes.b, impatient.room))
            await leaves.sees(3)
            nodes.a.kill()
        try:
            assert await is_live(api, patient), "nobody can know yet"
            await eventually(lambda: _is_missed(api, patient), 10)
            await until(lambda: leaves.left, 4)
            async with sending(http, nodes.b, patient, "second"):
                await stays.sees(3, by="second")
        finally:
            await asyncio.to_thread(nodes.a.start)


async def _is_missed(api: Api, door: Made) -> bool:
    return not await is_live(api, door)
