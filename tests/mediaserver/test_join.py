"""What clients of a managed LiveKit get, in the join response of the real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiohttp
from livekit.protocol import rtc as signalling

from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.network import primary_address
from stagedoor.mediaserver.probe import local_url
from tests.mediaserver.livekit_harness import MakeManaged, join_token


async def ice_urls(config: ManagedConfig) -> list[str]:
    token = join_token(config, "r", "alice")
    url = f"{local_url(config)}/rtc?access_token={token}&protocol=15&sdk=python&auto_subscribe=1"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        message = await socket.receive_bytes(timeout=10)
    response = signalling.SignalResponse.FromString(message)
    return [one for server in response.join.ice_servers for one in server.urls]


async def test_clients_are_not_sent_to_a_foreign_stun_server(managed: MakeManaged, config: ManagedConfig) -> None:
    await managed().start()
    assert await ice_urls(config) == ["stun:127.0.0.1:3478"]


async def test_nor_when_others_on_the_network_may_come(managed: MakeManaged, config: ManagedConfig) -> None:
    address = await asyncio.to_thread(primary_address) or "127.0.0.1"  # where there is no network at all
    open_to_all = replace(config, bind_addresses=("0.0.0.0",), node_ip=address, loopback=False)
    await managed(config=open_to_all).start()
    assert await ice_urls(open_to_all) == ["stun:127.0.0.1:3478"]


async def test_the_operators_stun_server_is_handed_out(managed: MakeManaged, config: ManagedConfig) -> None:
    own = replace(config, stun_servers=("stun.example.org:3478",))
    await managed(config=own).start()
    assert await ice_urls(own) == ["stun:stun.example.org:3478"]
