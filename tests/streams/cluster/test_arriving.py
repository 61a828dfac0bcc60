"""Two cameras that were both admitted: which of them stays is the same on every node, and as their app has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest

from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.close_codes import REPLACED
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.settings import CameraConflict, CameraSettings
from stagedoor.streams.cluster.relay import Relay
from stagedoor.streams.hub import Hub
from stagedoor.streams.senders import Senders
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.usage.running_meters import RunningMeters
from tests.streams.cluster.devices import WAIT_S
from tests.support.product import eventually
from tests.support.redis import running_redis


@asynccontextmanager
async def node(url: str, name: str) -> AsyncGenerator[tuple[LiveCameras, Relay]]:
    hub = Hub()
    senders = Senders(hub, RunningMeters())
    cameras = LiveCameras(senders)
    relay = Relay(url, name, hub, senders)
    work = asyncio.create_task(relay.run())
    try:
        yield cameras, relay
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def admitted(name: str, conflict: CameraConflict) -> AuthenticatedCamera:
    app = App("app_1", "org_1", "live", "Live", 0, 0, AppSettings(CameraSettings(conflict=conflict)))
    return AuthenticatedCamera(Camera(f"cam_{name}", app.id, "live-door", name, name, "abcd", True, 0, 0), app, name)


@pytest.mark.parametrize("conflict", ["refuse", "takeover"])
async def test_which_stays(conflict: CameraConflict) -> None:
    with running_redis() as redis, ExitStack() as sending:
        async with AsyncExitStack() as nodes:
            cameras_a, relay_a = await nodes.enter_async_context(node(redis.url, "a"))
            cameras_b, relay_b = await nodes.enter_async_context(node(redis.url, "b"))

            async def is_known() -> bool:
                return await relay_b.senders(["live-door"]) == {"live-door": "cam_one"}

            first = sending.enter_context(cameras_a.sending(admitted("one", conflict)))
            await eventually(is_known)
            second = sending.enter_context(cameras_b.sending(admitted("two", conflict)))
            stays, leaves = (first, second) if conflict == "refuse" else (second, first)
            assert await asyncio.wait_for(leaves.closing, WAIT_S) is REPLACED
            assert not stays.closing.done()
            assert (cameras_a.find("live-door"), cameras_b.find("live-door")) == (
                (first, None) if conflict == "refuse" else (None, second)
            )
            del relay_a
