"""A camera that one node fetches is seen on the other, and a viewer on either begins one that is fetched on demand."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from tests.streams.cluster.conftest import Nodes
from tests.support.cameras import Device, mark_of, watching
from tests.support.http_camera import http_camera, moving
from tests.support.product import Api, RunningProduct, eventually


async def pulled(api: Api, url: str, room: str, **more: str) -> dict[str, Any]:
    body = {"inputType": "url", "room": room, "url": url, **more}
    made: dict[str, Any] = (await api("POST", "/apps/live/ingress", body, expect=201))["data"]
    return made


def seen(node: RunningProduct, room: str) -> Device:
    return Device("live", {"mjpegUrl": f"{node.url}/live/live/{room}/mjpeg"})


async def state(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api("GET", f"/apps/live/ingress/{made['ingressId']}"))["data"]["state"]
    return found


async def test_it_is_seen_on_every_node_and_fetched_once(nodes: Nodes, api: Api, http: aiohttp.ClientSession) -> None:
    async with http_camera(moving()) as camera, AsyncExitStack() as stack:
        made = await pulled(api, camera.url, "fetched")

        async def published() -> bool:
            return (await state(api, made))["status"] == "publishing"

        await eventually(published)
        for node in (nodes.a, nodes.b):

            async def live(url: str = f"{node.url}/live/live/fetched") -> bool:
                async with http.get(url) as answer:
                    return (await answer.json())["data"]["live"] is True

            await eventually(live)
            stream = await stack.enter_async_context(watching(http, seen(node, "fetched")))
            marks = [int(mark_of((await stream.part()).data)) for _ in range(5)]
            assert marks == sorted(set(marks)), "in order, and none twice"
        assert camera.open == 1
        await api("DELETE", f"/apps/live/ingress/{made['ingressId']}", expect=204)


async def test_a_viewer_on_either_node_begins_it(nodes: Nodes, api: Api, http: aiohttp.ClientSession) -> None:
    for number, node in enumerate((nodes.a, nodes.b)):
        async with http_camera(moving()) as camera:
            made = await pulled(api, camera.url, f"demand-{number}", start="demand")
            async with watching(http, seen(node, f"demand-{number}")) as stream:
                assert mark_of((await stream.part()).data)
                assert camera.open == 1
            await api("DELETE", f"/apps/live/ingress/{made['ingressId']}", expect=204)
            await eventually(lambda camera=camera: asyncio.sleep(0, not camera.open))
