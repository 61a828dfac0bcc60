"""The thinnest path through everything, in every shape of the product."""

from __future__ import annotations

import aiohttp

from tests.support.product import Api, RunningProduct, eventually


async def test_a_room_becomes_a_session(every_product: RunningProduct, http: aiohttp.ClientSession) -> None:
    api = Api(http, every_product.url, every_product.api_key)
    created = await api("POST", "/apps/live/rooms", {"name": "smoke"}, expect=201)
    session_id = created["data"]["session"]
    await api("DELETE", "/apps/live/rooms/smoke", expect=204)

    async def ended() -> bool:
        session = await api("GET", f"/apps/live/sessions/{session_id}")
        return session["data"]["state"] == "ended"

    await eventually(ended)
    session = (await api("GET", f"/apps/live/sessions/{session_id}"))["data"]
    assert session["disposition"] == "terminated"
    assert session["timeline"][0]["type"] == "session.started"
