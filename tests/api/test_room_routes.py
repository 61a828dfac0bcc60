"""`/apps/{app}/rooms`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.api_participant import guest_in
from tests.support.api_tenant import problem
from tests.support.product import Api, eventually

FIELDS = {"id", "app", "name", "livekitRoom", "state", "metadata", "session", "participants", "createdAt", "updatedAt"}


async def test_a_room_is_created_read_changed_and_ended(api: Api, app: str) -> None:
    body = {"name": "demo", "metadata": "one", "emptyTimeout": 60, "departureTimeout": 30, "maxParticipants": 3}
    made = (await api("POST", f"/apps/{app}/rooms", body, expect=201))["data"]
    assert set(made) == FIELDS
    assert (made["app"], made["name"], made["livekitRoom"]) == (app, "demo", f"{app}-demo")
    assert (made["state"], made["metadata"], made["participants"]) == ("live", "one", 0)
    assert made["session"].startswith("ses_")
    for reference in ("demo", f"{app}-demo"):
        assert (await api("GET", f"/apps/{app}/rooms/{reference}", expect=200))["data"] == made
        listed = (await api("GET", f"/apps/{app}/rooms", expect=200))["data"]
        assert listed == [made]
    changed = (await api("PATCH", f"/apps/{app}/rooms/{app}-demo", {"metadata": "two"}, expect=200))["data"]
    assert changed == made | {"metadata": "two", "updatedAt": changed["updatedAt"]}
    await api("DELETE", f"/apps/{app}/rooms/demo", expect=204)
    assert await problem(api, "GET", f"/apps/{app}/rooms/demo") == (404, "room_not_found")
    assert (await api("GET", f"/apps/{app}/rooms", expect=200))["data"] == []

    async def ended() -> bool:
        session = await api("GET", f"/apps/{app}/sessions/{made['session']}", expect=200)
        return session["data"]["state"] == "ended"

    await eventually(ended)


async def test_new_metadata_and_the_end_reach_who_is_there(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "demo", "metadata": "one"}, expect=201)
    async with guest_in(api, app, "demo", "ada") as ada:
        assert ada.room.metadata == "one"
        await api("PATCH", f"/apps/{app}/rooms/demo", {"metadata": "two"}, expect=200)

        async def notified() -> bool:
            return ada.room.metadata == "two"

        await eventually(notified)

        async def counted() -> bool:
            return (await api("GET", f"/apps/{app}/rooms/demo"))["data"]["participants"] == 1

        await eventually(counted)
        await api("DELETE", f"/apps/{app}/rooms/demo", expect=204)
        await asyncio.wait_for(ada.gone, 10)


async def test_a_live_room_is_not_created_again(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    assert await problem(api, "POST", f"/apps/{app}/rooms", {"name": f"{app}-demo"}) == (409, "room_live")
    await api("DELETE", f"/apps/{app}/rooms/demo", expect=204)
    again = (await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201))["data"]
    assert again["state"] == "live"


async def test_a_room_that_was_not_announced_is_adopted_by_the_app_of_its_prefix(api: Api, app: str) -> None:
    async with guest_in(api, app, "surprise", "ada"):

        async def known() -> Any:
            status, answer, _ = await api.raw("GET", f"/apps/{app}/rooms/surprise")
            return answer["data"] if status == 200 and answer["data"]["participants"] == 1 else None

        room = await eventually(known)
        assert (room["state"], room["livekitRoom"]) == ("live", f"{app}-surprise")


async def test_rooms_are_listed_by_state(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "live1"}, expect=201)
    async with guest_in(api, app, "brief", "ada", roomConfig={"departureTimeout": 1}):
        pass

    async def idle() -> Any:
        listed = (await api("GET", f"/apps/{app}/rooms?state=idle", expect=200))["data"]
        return [room["name"] for room in listed]

    assert await eventually(idle) == ["brief"]
    live = (await api("GET", f"/apps/{app}/rooms?state=live", expect=200))["data"]
    assert [room["name"] for room in live] == ["live1"]


async def test_an_idle_room_can_be_changed_and_deleted(api: Api, app: str) -> None:
    async with guest_in(api, app, "brief", "ada", roomConfig={"departureTimeout": 1}):
        pass

    async def idle() -> bool:
        status, answer, _ = await api.raw("GET", f"/apps/{app}/rooms/brief")
        return status == 200 and answer["data"]["state"] == "idle"

    await eventually(idle)
    changed = (await api("PATCH", f"/apps/{app}/rooms/brief", {"metadata": "later"}, expect=200))["data"]
    assert changed["metadata"] == "later"
    await api("DELETE", f"/apps/{app}/rooms/brief", expect=204)
    assert await problem(api, "DELETE", f"/apps/{app}/rooms/brief") == (404, "room_not_found")


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "é", "a" * 129, "live-live-a", "a\x00"])
async def test_names_that_no_room_gets(managed_api: Api, name: str) -> None:
    status, code = await problem(managed_api, "POST", "/apps/live/rooms", {"name": name})
    assert status == 422
    assert code in {"bad_room_name", "validation_failed"}
