"""`/apps/{app}/rooms/{room}/participants`: real participants are listed, changed, muted and removed."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

import pytest
from livekit import rtc

from tests.support.api_participant import guest_in, reachable
from tests.support.api_tenant import problem
from tests.support.product import Api, eventually

FIELDS = {
    *("sid", "identity", "name", "kind", "source", "state", "joinedAt", "metadata", "attributes", "permissions"),
    "tracks",
}


async def present(api: Api, app: str, identity: str) -> Any:
    """The participant, once they are there."""

    async def there() -> Any:
        status, answer, _ = await api.raw("GET", f"/apps/{app}/rooms/demo/participants/{identity}")
        return answer["data"] if status == 200 and answer["data"]["state"] == "active" else None

    return await eventually(there)


async def test_participants_are_listed_and_got_by_both_names_of_the_room(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada", name="Ada"), guest_in(api, app, "demo", "b/ob ü"):
        ada = await present(api, app, "ada")
        assert set(ada) == FIELDS
        assert (ada["name"], ada["kind"], ada["source"], ada["tracks"]) == ("Ada", "standard", "webrtc", [])
        await present(api, app, "b%2Fob%20%C3%BC")
        for room in ("demo", f"{app}-demo"):
            listed = await api("GET", f"/apps/{app}/rooms/{room}/participants", expect=200)
            assert {who["identity"] for who in listed["data"]} == {"ada", "b/ob ü"}
            assert listed["page"] == {"next": None}
        missing = f"/apps/{app}/rooms/demo/participants/eve"
        assert await problem(api, "GET", missing) == (404, "participant_not_found")
        assert await problem(api, "DELETE", missing) == (404, "participant_not_found")
        assert await problem(api, "PATCH", missing, {"name": "Eve"}) == (404, "participant_not_found")


async def test_changes_arrive_at_the_client(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada", attributes={"a": "1", "b": "2"}) as ada:
        await present(api, app, "ada")
        change = {"name": "Countess", "metadata": '{"x":1}', "attributes": {"b": "", "c": "3"}}
        path = f"/apps/{app}/rooms/demo/participants/ada"
        changed = (await api("PATCH", path, change, expect=200))["data"]
        assert (changed["name"], changed["metadata"]) == ("Countess", '{"x":1}')
        assert changed["attributes"] == {"a": "1", "c": "3"}

        async def notified() -> bool:
            me = ada.me
            return (me.name, me.metadata, dict(me.attributes)) == ("Countess", '{"x":1}', {"a": "1", "c": "3"})

        await eventually(notified)


async def test_permissions_change_one_by_one(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada"):
        before = (await present(api, app, "ada"))["permissions"]
        path = f"/apps/{app}/rooms/demo/participants/ada"
        changed = (await api("PATCH", path, {"permissions": {"canPublish": False}}, expect=200))["data"]
        assert changed["permissions"] == before | {"canPublish": False}
        again = {"canPublish": True, "canPublishSources": ["camera"]}
        changed = (await api("PATCH", path, {"permissions": again}, expect=200))["data"]
        assert changed["permissions"] == before | again


def _notify(notified: asyncio.Queue[None], *_: object) -> None:
    notified.put_nowait(None)


async def test_a_permission_that_was_taken_is_felt(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada") as ada, guest_in(api, app, "demo", "bob") as bob:
        await reachable(api, app, "demo", bob)
        notified: asyncio.Queue[None] = asyncio.Queue()
        ada.room.on("participant_permissions_changed", partial(_notify, notified))
        for payload, allowed in (("one", True), ("two", False), ("three", True)):
            change = {"permissions": {"canPublishData": allowed, "canPublishSources": [] if allowed else ["camera"]}}
            await api("PATCH", f"/apps/{app}/rooms/demo/participants/ada", change, expect=200)
            if payload != "one":
                await asyncio.wait_for(notified.get(), 10)
            with contextlib.suppress(rtc.participant.PublishDataError):
                await ada.me.publish_data(payload)

        async def third() -> bool:
            return bool(bob.packets) and bob.packets[-1][0] == b"three"

        await eventually(third)
        assert [payload for payload, _ in bob.packets] == [b"one", b"three"]


async def test_who_is_removed_is_gone_and_may_return(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada") as ada:
        await present(api, app, "ada")
        await api("DELETE", f"/apps/{app}/rooms/{app}-demo/participants/ada", expect=204)
        assert await asyncio.wait_for(ada.gone, 10) == rtc.DisconnectReason.PARTICIPANT_REMOVED
    async with guest_in(api, app, "demo", "ada"):
        await present(api, app, "ada")


async def test_a_published_track_is_muted_for_all_participants(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada") as ada, guest_in(api, app, "demo", "bob") as bob:
        publication = await ada.publish_camera()

        async def shown() -> Any:
            return (await present(api, app, "ada"))["tracks"]

        (track,) = await eventually(shown)
        assert set(track) == {"sid", "kind", "source", "mimeType", "muted", "name", "width", "height"}
        assert (track["sid"], track["kind"], track["source"]) == (publication.sid, "video", "camera")
        assert (track["muted"], track["width"], track["height"]) == (False, 64, 48)
        path = f"/apps/{app}/rooms/demo/participants/ada/tracks/{track['sid']}/mute"
        muted = (await api("POST", path, {"muted": True}, expect=200))["data"]
        assert muted == track | {"muted": True}

        async def dark() -> bool:
            seen = bob.room.remote_participants["ada"].track_publications.get(track["sid"])
            return seen is not None and seen.muted and publication.muted

        await eventually(dark)
        elsewhere = f"/apps/{app}/rooms/demo/participants/bob/tracks/{track['sid']}/mute"
        assert await problem(api, "POST", elsewhere, {"muted": True}) == (404, "track_not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": 5},
        {"attributes": {"a": None}},
        {"attributes": {"": "a"}},
        {"permissions": {"canPublishSources": ["kitchen"]}},
        {"permissions": {"roomAdmin": True}},
        {"identity": "eve"},
    ],
)
async def test_what_is_no_change(managed_api: Api, change: dict[str, Any]) -> None:
    path = "/apps/live/rooms/demo/participants/ada"
    assert await problem(managed_api, "PATCH", path, change) == (422, "validation_failed")


async def test_an_idle_room_has_no_participants(api: Api, app: str) -> None:
    async with guest_in(api, app, "demo", "ada", roomConfig={"departureTimeout": 1}):
        await present(api, app, "ada")

    async def idle() -> bool:
        return (await api("GET", f"/apps/{app}/rooms/demo"))["data"]["state"] == "idle"

    await eventually(idle)
    path = f"/apps/{app}/rooms/demo/participants"
    assert (await api("GET", path, expect=200))["data"] == []
    missing = (404, "participant_not_found")
    assert await problem(api, "GET", f"{path}/ada") == missing
    assert await problem(api, "DELETE", f"{path}/ada") == missing
    assert await problem(api, "POST", f"{path}/ada/tracks/TR_x/mute", {"muted": True}) == missing
    await api("DELETE", f"{path}/ada?ban=1m", expect=204)


@pytest.mark.parametrize("name", ["stagedoor.source", "stagedoor.session", "stagedoor."])
async def test_stagedoors_own_attributes_are_set_by_no_caller(managed_api: Api, managed_app: str, name: str) -> None:
    app, reserved = managed_app, (422, "attribute_reserved")
    asked = {"identity": "ada", "attributes": {"seat": "12", name: "camera"}}
    assert await problem(managed_api, "POST", f"/apps/{app}/tokens", {"room": "demo", **asked}) == reserved
    assert await problem(managed_api, "POST", f"/apps/{app}/sessions", {"participants": [asked]}) == reserved
    async with guest_in(managed_api, app, "demo", "ada") as ada:
        path = f"/apps/{app}/rooms/demo/participants/ada"
        assert await problem(managed_api, "PATCH", path, {"attributes": {name: "camera"}}) == reserved
        assert dict(ada.me.attributes) == {}


async def test_a_client_that_claims_to_be_a_camera_is_not_believed(managed_api: Api, managed_app: str) -> None:
    async with guest_in(managed_api, managed_app, "demo", "ada") as ada:
        path = f"/apps/{managed_app}/rooms/demo/participants/ada"
        await managed_api("PATCH", path, {"permissions": {"canUpdateMetadata": True}})
        await ada.me.set_attributes({"stagedoor.source": "camera"})

        async def claimed() -> Any:
            body = (await managed_api("GET", path))["data"]
            return body if body["attributes"] == {"stagedoor.source": "camera"} else None

        assert (await eventually(claimed))["source"] == "webrtc"
