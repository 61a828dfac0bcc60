"""A viewer is disconnected within seconds of not being admitted any more, and no other viewer is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.support.api_tenant import new_app
from tests.support.cameras import Device, bearer, frame, new_device, sending
from tests.support.product import Api

Loss = Callable[[Api, str], Awaitable[None]]


async def link(api: Api, app: str, ttl: str) -> str:
    made = await api("POST", f"/apps/{app}/rooms/door/links", {"page": "play", "ttl": ttl}, expect=201)
    token: str = made["data"]["url"].partition("token=")[2]
    return token


async def join(api: Api, app: str) -> str:
    made = await api("POST", f"/apps/{app}/tokens", {"room": "door", "identity": "bob"}, expect=201)
    token: str = made["data"]["token"]
    return token


@asynccontextmanager
async def frames_coming(http: aiohttp.ClientSession, device: Device) -> AsyncGenerator[None]:
    async with sending(http, device) as camera:

        async def send() -> None:
            while True:
                await camera.send(frame("x"))
                await asyncio.sleep(0.1)  # the pace of a camera

        task = asyncio.create_task(send())
        await camera.send(frame("x"))
        yield
        task.cancel()


async def ends_by_mjpeg(http: aiohttp.ClientSession, url: str) -> None:
    """Return when the server has ended the stream."""
    async with http.get(url) as answer:
        assert answer.status == 200
        while await answer.content.readany():
            pass


async def ends_by_socket(http: aiohttp.ClientSession, url: str) -> None:
    async with http.ws_connect(url) as socket:
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.BINARY
        assert socket.close_code == 4401


def addresses(device: Device, token: str | None) -> tuple[str, str]:
    state = f"http{device.body['wsUrl'].removeprefix('ws').partition('/ingest')[0]}/live/{device.app}/{device.app}-door"
    socket = f"{device.body['wsUrl'].replace('/ingest/ws', '/live/ws')}"
    query = "" if token is None else f"token={token}"
    return f"{state}/mjpeg?{query}", f"{socket}&{query}"


async def banned(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "door"}, expect=201)
    await api.raw(
        "DELETE", f"/apps/{app}/rooms/door/participants/bob?ban=10m"
    )  # who has never joined is banned as well
    await api("POST", f"/apps/{app}/tokens", {"room": "door", "identity": "bob"}, expect=409)


async def closed(api: Api, app: str) -> None:
    await api("PATCH", f"/apps/{app}", {"settings": {"playbackPolicy": "signed"}})


async def nothing(api: Api, app: str) -> None:
    del api, app


@pytest.mark.parametrize("what", ["link", "ban", "policy"])
async def test_a_viewer_that_is_not_admitted_any_more_is_let_go(
    http: aiohttp.ClientSession, managed_api: Api, what: str
) -> None:
    app = await new_app(managed_api, playbackPolicy="public" if what == "policy" else "signed")
    device = await new_device(managed_api, app)
    token = {"link": lambda: link(managed_api, app, "2s"), "ban": lambda: join(managed_api, app)}.get(what)
    lost: Loss = {"link": nothing, "ban": banned, "policy": closed}[what]
    good = await link(managed_api, app, "1h")
    async with frames_coming(http, device):
        mjpeg, socket = addresses(device, None if token is None else await token())
        watching = [
            asyncio.create_task(ends_by_mjpeg(http, mjpeg)),
            asyncio.create_task(ends_by_socket(http, socket)),
        ]
        async with http.get(addresses(device, good)[0]) as stays:
            assert await stays.content.readany()
            await asyncio.sleep(0.5)  # several frames, of which the admitted viewers get each
            if what != "link":
                assert not any(task.done() for task in watching)
            await lost(managed_api, app)
            await asyncio.wait_for(asyncio.gather(*watching), 30)
            assert await asyncio.wait_for(stays.content.readany(), 10)  # and a viewer with a good link goes on


async def test_a_viewer_with_a_key_that_is_revoked_is_let_go(http: aiohttp.ClientSession, managed_api: Api) -> None:
    app = await new_app(managed_api)
    device = await new_device(managed_api, app)
    made = (await managed_api("POST", "/keys", {"name": "viewer", "scopes": ["rooms:read"]}, expect=201))["data"]
    async with (
        frames_coming(http, device),
        http.get(addresses(device, None)[0], headers=bearer(made["key"])) as answer,
    ):
        assert answer.status == 200
        assert await answer.content.readany()
        await managed_api("DELETE", f"/keys/{made['id']}", expect=204)

        async def end() -> None:
            while await answer.content.readany():
                pass

        await asyncio.wait_for(end(), 30)
