"""Rooms made with a key of LiveKit's, under names that Stagedoor would not give."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from livekit.protocol.room import CreateRoomRequest, DeleteRoomRequest

from tests.support.api_tenant import new_app, problem
from tests.support.product import Api, RunningProduct, eventually


@pytest.mark.parametrize("short", ["x:y", "a/b", "a b", "1+1", "名", "..", "n" * 150])
async def test_a_room_that_is_there_gets_tokens_links_and_cameras(
    managed_api: Api, managed_product: RunningProduct, short: str
) -> None:
    app = await new_app(managed_api)
    name = f"{app}-{short}"
    room = f"/apps/{app}/rooms/{quote(name, safe='')}"
    assert await problem(managed_api, "POST", f"{room}/links", {"page": "meet"}) == (422, "bad_room_name")
    async with managed_product.livekit() as server:
        await server.room.create_room(CreateRoomRequest(name=name, empty_timeout=60))

        async def listed() -> bool:
            return any(room["livekitRoom"] == name for room in (await managed_api("GET", f"/apps/{app}/rooms"))["data"])

        await eventually(listed)
        link = (await managed_api("POST", f"{room}/links", {"page": "play"}, expect=201))["data"]
        assert quote(name, safe="") in link["url"]
        for reference in (short, name):
            wish = {"room": reference, "identity": "ada"}
            assert (await managed_api("POST", f"/apps/{app}/tokens", wish, expect=201))["data"]["room"] == name
            camera = (await managed_api("POST", f"/apps/{app}/ws-ingest", {"room": reference}, expect=201))["data"]
            assert camera["room"] == name
        await server.room.delete_room(DeleteRoomRequest(room=name))
