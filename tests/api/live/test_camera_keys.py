"""`/apps/{app}/ws-ingest`: cameras made, seen, changed, given another key and deleted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.support.api_feed import following, take
from tests.support.api_tenant import Tenant, new_app, new_key, new_tenant, problem
from tests.support.cameras import Device, frame, is_live, new_device, refused, sending
from tests.support.product import Api, RunningProduct, running


@pytest.fixture
async def tenant(managed_api: Api) -> Tenant:
    return await new_tenant(managed_api)


async def test_a_camera_is_made_with_a_key_that_is_shown_once(
    managed_product: RunningProduct, managed_api: Api, app: str
) -> None:
    made = (await managed_api("POST", f"/apps/{app}/ws-ingest", {"room": "door", "name": "Front"}, expect=201))["data"]
    key = made.pop("streamKey")
    assert key.startswith("wsk_")
    assert len(key) > 40
    room, ws = f"{app}-door", managed_product.url.replace("http", "ws")
    said = {name: made[name] for name in ("room", "shortRoom", "identity", "name", "enabled", "live", "hint")}
    assert said == {
        "room": room, "shortRoom": "door", "identity": "camera", "name": "Front", "enabled": True, "live": False,
        "hint": key[-4:],
    }  # fmt: skip
    assert made["id"].startswith("cam_")
    assert {name: made[name] for name in made if name.endswith("Url")} == {
        "wsUrl": f"{ws}/ingest/ws?app={app}&room={room}",
        "viewerWsUrl": f"{ws}/live/ws?app={app}&room={room}",
        "mjpegUrl": f"{managed_product.url}/live/{app}/{room}/mjpeg",
        "frameUrl": f"{managed_product.url}/live/{app}/{room}/frame.jpg",
        "playUrl": f"{managed_product.url}/play/{app}/{room}",
        "embedUrl": f"{managed_product.url}/embed/{app}/{room}",
    }
    assert (await managed_api("GET", f"/apps/{app}/ws-ingest/{made['id']}"))["data"] == made
    assert (await managed_api("GET", f"/apps/{app}/ws-ingest"))["data"] == [made]
    database = b"".join(path.read_bytes() for path in managed_product.data_dir.glob("*.db*"))
    assert made["id"].encode() in database
    assert key.encode() not in database


async def test_cameras_are_listed_by_room_and_in_pages(managed_api: Api, app: str) -> None:
    made = [(await new_device(managed_api, app, room)).id for room in ("one", "two", "one", "one")]
    path = f"/apps/{app}/ws-ingest"
    first = await managed_api("GET", f"{path}?limit=3")
    second = await managed_api("GET", f"{path}?limit=3&cursor={first['page']['next']}")
    assert [camera["id"] for camera in first["data"] + second["data"]] == made
    assert second["page"]["next"] is None
    for name in ("two", f"{app}-two"):
        assert [camera["id"] for camera in (await managed_api("GET", f"{path}?room={name}"))["data"]] == [made[1]]


async def test_what_is_no_camera(managed_api: Api, app: str) -> None:
    path = f"/apps/{app}/ws-ingest"
    assert await problem(managed_api, "POST", path, {"room": "-odd"}) == (422, "bad_room_name")
    assert await problem(managed_api, "POST", path, {}) == (422, "validation_failed")
    assert await problem(managed_api, "POST", path, {"room": "a", "identity": ""}) == (422, "validation_failed")
    assert await problem(managed_api, "GET", f"{path}/cam_nope") == (404, "camera_not_found")
    assert await problem(managed_api, "DELETE", f"{path}/cam_nope") == (404, "camera_not_found")


async def test_an_app_has_only_so_many_cameras(managed_api: Api) -> None:
    app = await new_app(managed_api, cameraLimit=2)
    path = f"/apps/{app}/ws-ingest"
    answers = await asyncio.gather(*(managed_api.raw("POST", path, {"room": f"r{number}"}) for number in range(5)))
    assert sorted(status for status, _, _ in answers) == [201, 201, 429, 429, 429]
    refusal = next(body for status, body, _ in answers if status == 429)
    assert (refusal["code"], refusal["limit"]) == ("too_many_cameras", 2)
    first = (await managed_api("GET", path))["data"][0]
    await managed_api("DELETE", f"{path}/{first['id']}", expect=204)
    await new_device(managed_api, app)


async def test_another_tenants_cameras_are_not_there(managed_api: Api, tenant: Tenant) -> None:
    stranger = (await new_tenant(managed_api)).api
    theirs = await new_device(tenant.api, tenant.app)
    for method, path, body in (
        ("GET", theirs.path, None),
        ("PATCH", theirs.path, {"name": "mine"}),
        ("POST", f"{theirs.path}/rotate", None),
        ("DELETE", theirs.path, None),
        ("GET", f"/apps/{tenant.app}/ws-ingest", None),
        ("POST", f"/apps/{tenant.app}/ws-ingest", {"room": "door"}),
    ):
        assert (await problem(stranger, method, path, body))[0] == 404
    elsewhere = theirs.path.replace(tenant.app, tenant.other_app)
    assert await problem(tenant.api, "GET", elsewhere) == (404, "camera_not_found")
    assert (await tenant.api("GET", theirs.path))["data"]["name"] == "camera"
    reader = managed_api.as_key(await new_key(managed_api, "cameras:read", app=tenant.app))
    assert (await reader("GET", theirs.path))["data"]["id"] == theirs.id
    assert await problem(reader, "DELETE", theirs.path) == (403, "missing_scope")


async def test_every_change_is_in_the_audit_trail_without_the_key(managed_api: Api, app: str) -> None:
    device = await new_device(managed_api, app)
    await managed_api("PATCH", device.path, {"name": "Back", "enabled": False})
    rotated = (await managed_api("POST", f"{device.path}/rotate"))["data"]
    await managed_api("DELETE", device.path, expect=204)
    trail = (await managed_api("GET", f"/audit?app={app}"))["data"][::-1]
    mine = [entry for entry in trail if entry["action"].startswith("camera.")]
    assert [entry["action"] for entry in mine] == [
        "camera.created", "camera.changed", "camera.rotated", "camera.deleted",
    ]  # fmt: skip
    assert {entry["target"] for entry in mine} == {device.id}
    assert device.key not in str(trail)
    assert rotated["streamKey"] not in str(trail)


async def test_the_feed_reports_who_came_and_went(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    async with following(http, managed_product.url, managed_product.api_key, door.app) as events:
        async with sending(http, door) as camera:
            await camera.send(frame("a"), frame("b"))
        online, offline = await take(events, 2)
    assert (online.type, offline.type) == ("camera.online", "camera.offline")
    assert (online.data["subject"], online.data["livekitRoom"]) == ("camera", f"{door.app}-door")
    assert online.data["detail"]["cameraId"] == offline.data["detail"]["cameraId"] == door.id
    assert (offline.data["detail"]["frames"], offline.data["detail"]["dropped"]) == (2, 0)
    assert (await managed_api("GET", door.path))["data"]["lastSeenAt"] is not None


@pytest.mark.parametrize("what", ["rotate", "delete", "disable", "app"])
async def test_a_key_that_is_no_good_any_more_ends_the_connection_at_once(
    http: aiohttp.ClientSession, managed_api: Api, door: Device, what: str
) -> None:
    async with sending(http, door) as camera:
        await camera.send(frame("a"))
        await is_live(managed_api, door, True)
        fresh = ""
        if what == "rotate":
            fresh = (await managed_api("POST", f"{door.path}/rotate"))["data"]["streamKey"]
        elif what == "delete":
            await managed_api("DELETE", door.path, expect=204)
        elif what == "disable":
            await managed_api("PATCH", door.path, {"enabled": False})
        else:
            await managed_api("DELETE", f"/apps/{door.app}?force=true", expect=204)
        assert await camera.closed(2) == 4401  # another node's change would take five seconds
    if what == "disable":
        assert await refused(http, door.http_url, door.key) == (403, "camera_disabled")
        await managed_api("PATCH", door.path, {"enabled": True})
        async with sending(http, door):
            return
    assert await refused(http, door.http_url, door.key) == (401, "bad_camera_key")
    if what == "rotate":
        assert fresh.startswith("wsk_")
        async with sending(http, door, fresh):
            assert (await managed_api("GET", door.path))["data"]["hint"] == fresh[-4:]


async def test_a_new_name_does_not_end_the_connection(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    async with sending(http, door) as camera:
        await managed_api("PATCH", door.path, {"name": "Back", "identity": "cam-7"})
        await managed_api("PATCH", f"/apps/{door.app}", {"name": "Other"})
        await camera.send(frame("a"))
        await camera.socket.ping()
        found = (await managed_api("GET", door.path))["data"]
        assert (found["name"], found["identity"], found["live"]) == ("Back", "cam-7", True)


async def test_cameras_outlive_the_product(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with running(tmp_path) as product:
        api = Api(http, product.url, product.api_key)
        await api("PATCH", "/apps/live", {"settings": {"playbackPolicy": "public"}})
        device, off = await new_device(api, "live"), await new_device(api, "live", "other")
        await api("PATCH", off.path, {"enabled": False})
        async with sending(http, device) as camera:
            await camera.send(frame("before"))
            await is_live(api, device, True)
            stopping = asyncio.create_task(asyncio.to_thread(product.stop))
            assert await camera.closed() == 1001
            assert await stopping == 0
        product.start()
        assert await refused(http, off.http_url, off.key) == (403, "camera_disabled")
        async with sending(http, device) as camera:
            await camera.send(frame("after"))
            async with http.get(device.body["frameUrl"]) as answer:
                assert (await answer.read()) == frame("after")
