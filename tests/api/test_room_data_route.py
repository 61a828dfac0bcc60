"""`POST /apps/{app}/rooms/{room}/data`: what is sent arrives at real participants."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.api_participant import Guest, guest_in, reachable
from tests.support.api_tenant import problem
from tests.support.product import Api, eventually


async def packets(guest: Guest, count: int) -> list[tuple[bytes, str | None]]:
    async def enough() -> bool:
        return len(guest.packets) >= count

    await eventually(enough)
    return guest.packets


async def test_data_goes_to_all_or_to_some(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada") as ada, guest_in(api, app, "demo", "bob") as bob:
        await reachable(api, app, "demo", ada, bob)
        path = f"/apps/{app}/rooms/demo/data"
        sent = (await api("POST", path, {"data": "héllo", "topic": "chat"}, expect=202))["data"]
        assert sent == {"room": f"{app}-demo", "bytes": 6, "identities": []}
        for guest in (ada, bob):
            assert await packets(guest, 1) == [("héllo".encode(), "chat")]
        raw = bytes(range(256))
        body: dict[str, Any] = {"dataBase64": base64.b64encode(raw).decode(), "identities": ["bob"]}
        sent = (await api("POST", f"/apps/{app}/rooms/{app}-demo/data", body, expect=202))["data"]
        assert (sent["bytes"], sent["identities"]) == (256, ["bob"])
        assert (await packets(bob, 2))[1][0] == raw
        # Both come on one ordered channel, so what was not for Ada would be before this.
        await api("POST", path, {"data": "last", "reliable": True}, expect=202)
        assert [payload for payload, _ in await packets(ada, 2)] == ["héllo".encode(), b"last"]


async def test_the_largest_data_arrives_whole(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada") as ada:
        await reachable(api, app, "demo", ada)
        await api("POST", f"/apps/{app}/rooms/demo/data", {"data": "x" * 15_000}, expect=202)
        ((payload, _),) = await packets(ada, 1)
        assert payload == b"x" * 15_000


async def test_an_idle_room_takes_no_data(api: Api, app: str) -> None:
    path = f"/apps/{app}/rooms/demo/data"
    assert await problem(api, "POST", path, {"data": "x"}) == (404, "room_not_found")
    async with guest_in(api, app, "demo", "ada", roomConfig={"departureTimeout": 1}) as ada:
        await reachable(api, app, "demo", ada)

    async def over() -> bool:
        return (await api("GET", f"/apps/{app}/rooms/demo"))["data"]["state"] == "idle"

    await eventually(over)
    assert await problem(api, "POST", path, {"data": "x"}) == (404, "not_live")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": "a", "dataBase64": "YQ=="},
        {"dataBase64": "not base64!"},
        {"dataBase64": "YQ"},
        {"data": "a", "identities": "ada"},
        {"data": "a", "topic": "a\x00"},
        {"data": 5},
    ],
)
async def test_what_is_no_data(managed_api: Api, body: dict[str, Any]) -> None:
    assert (await problem(managed_api, "POST", "/apps/live/rooms/demo/data", body))[0] == 422


async def test_too_much_data(managed_api: Api) -> None:
    path = "/apps/live/rooms/demo/data"
    assert (await problem(managed_api, "POST", path, {"data": "é" * 10_000})) == (413, "data_too_large")
    big = base64.b64encode(bytes(15_001)).decode()
    assert (await problem(managed_api, "POST", path, {"dataBase64": big})) == (413, "data_too_large")
