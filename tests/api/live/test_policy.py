"""Who may look: the same policy and links as every other way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.support.api_tenant import new_app
from tests.support.cameras import Device, frame, new_device, sending
from tests.support.product import Api, RunningProduct


async def statuses(http: aiohttp.ClientSession, device: Device, token: str | None) -> set[int]:
    """What each way out answers."""
    query = "" if token is None else f"?token={token}"
    found: set[int] = set()
    state = device.body["mjpegUrl"].removesuffix("/mjpeg")
    for url in (device.body["mjpegUrl"], device.body["frameUrl"], state):
        async with http.get(url + query) as answer:
            found.add(answer.status)
    try:
        async with http.ws_connect(device.body["viewerWsUrl"] + query.replace("?", "&")) as socket:
            await socket.receive_bytes(timeout=5)
            found.add(200)
    except aiohttp.WSServerHandshakeError as error:
        found.add(error.status)
    return found


@pytest.fixture
async def signed(managed_api: Api) -> Device:
    """A camera whose app wants links to be signed, which is what apps do unless they are set otherwise."""
    return await new_device(managed_api, await new_app(managed_api))


async def test_a_token_of_this_room_opens_every_way_out(
    http: aiohttp.ClientSession, managed_api: Api, signed: Device
) -> None:
    app = signed.app

    async def link(room: str, page: str = "play") -> str:
        made = await managed_api("POST", f"/apps/{app}/rooms/{room}/links", {"page": page}, expect=201)
        token: str = made["data"]["url"].partition("token=")[2]
        return token

    async def join(room: str, **grant: object) -> str:
        made = await managed_api("POST", f"/apps/{app}/tokens", {"room": room, **grant}, expect=201)
        token: str = made["data"]["token"]
        return token

    async with sending(http, signed) as camera:
        await camera.send(frame("0"))
        elsewhere = await link("other")
        for good in (await link("door"), await link("door", "meet"), await join("door")):
            assert await statuses(http, signed, good) == {200}
        for bad in (None, "", "nonsense", elsewhere, await join("other"), signed.key):
            assert await statuses(http, signed, bad) == {404}
        await managed_api("PATCH", f"/apps/{app}", {"settings": {"playbackPolicy": "public"}})
        assert await statuses(http, signed, None) == {200}
        assert await statuses(http, signed, elsewhere) == {404}  # a wrong token is never as good as none


async def test_links_to_frames_work_as_they_are(http: aiohttp.ClientSession, managed_api: Api, signed: Device) -> None:
    async def link(page: str) -> str:
        path = f"/apps/{signed.app}/rooms/door/links"
        url: str = (await managed_api("POST", path, {"page": page, "ttl": "1h"}, expect=201))["data"]["url"]
        return url

    async with sending(http, signed) as camera:
        await camera.send(frame("0"))
        for page in ("mjpeg", "frame"):
            async with http.get(await link(page)) as answer:
                assert answer.status == 200
        async with http.ws_connect(await link("ws")) as socket:
            assert await socket.receive_bytes(timeout=5) == frame("0")


async def test_a_cameras_addresses_work_as_they_are(
    http: aiohttp.ClientSession, managed_api: Api, signed: Device
) -> None:
    """In an app whose playback is signed, which is the default: the maker of a camera can look at it."""
    path = f"/apps/{signed.app}/ws-ingest"
    made = (await managed_api("POST", path, {"room": "yard", "ttl": "30m"}, expect=201))["data"]
    read = (await managed_api("GET", f"{path}/{made['id']}?ttl=2h"))["data"]
    [listed] = [found for found in (await managed_api("GET", path))["data"] if found["id"] == made["id"]]
    turned = (await managed_api("POST", f"{path}/{made['id']}/rotate"))["data"]
    for body, minutes in ((made, 30), (read, 120), (listed, 60), (turned, 60)):
        left = datetime.fromisoformat(body["expiresAt"]) - datetime.now(UTC)
        assert timedelta(minutes=minutes - 2) < left <= timedelta(minutes=minutes)
    device = Device(signed.app, turned)
    async with sending(http, device) as camera:
        await camera.send(frame("0"))
        for body in (made, read, listed, turned):
            for address in ("mjpegUrl", "frameUrl", "playUrl", "embedUrl"):
                async with http.get(body[address]) as answer:
                    assert answer.status == 200, address
            async with http.ws_connect(body["viewerWsUrl"]) as socket:
                assert await socket.receive_bytes(timeout=5) == frame("0")


async def test_addresses_have_no_token_where_none_is_needed_or_the_caller_may_not_watch(
    http: aiohttp.ClientSession, managed_product: RunningProduct, managed_api: Api, signed: Device
) -> None:
    path = f"/apps/{signed.app}/ws-ingest"
    made = await managed_api("POST", "/keys", {"name": "lister", "scopes": ["cameras:read"]}, expect=201)
    lister = Api(http, managed_product.url, made["data"]["key"])
    listed = (await lister("GET", f"{path}/{signed.id}"))["data"]
    assert (listed["mjpegUrl"], listed["expiresAt"]) == (signed.body["mjpegUrl"], None)
    await managed_api("PATCH", f"/apps/{signed.app}", {"settings": {"playbackPolicy": "public"}})
    public = (await managed_api("GET", f"{path}/{signed.id}"))["data"]
    assert (public["mjpegUrl"], public["expiresAt"]) == (signed.body["mjpegUrl"], None)


async def test_an_api_key_that_reads_rooms_opens_every_way_out(
    http: aiohttp.ClientSession, managed_api: Api, signed: Device
) -> None:
    state = signed.body["mjpegUrl"].removesuffix("/mjpeg")
    urls = (signed.body["mjpegUrl"], signed.body["frameUrl"], state)

    async def key(*scopes: str, app: str = signed.app) -> dict[str, str]:
        fields = {"name": "viewer", "scopes": list(scopes), "app": app}
        made = await managed_api("POST", "/keys", fields, expect=201)
        return {"Authorization": f"Bearer {made['data']['key']}"}

    async def answered(headers: dict[str, str], address: str) -> int:
        async with http.get(address, headers=headers) as answer:
            return answer.status

    async with sending(http, signed) as camera:
        await camera.send(frame("0"))
        good = await key("rooms:read")
        assert {await answered(good, url) for url in urls} == {200}
        async with http.ws_connect(signed.body["viewerWsUrl"], headers=good) as socket:
            assert await socket.receive_bytes(timeout=5) == frame("0")
        assert {await answered(await key("usage:read"), url) for url in urls} == {403}
        assert {await answered({"Authorization": "Bearer sk_unknown"}, url) for url in urls} == {401}
        other = await key("rooms:read", app=await new_app(managed_api))
        assert {await answered(other, url) for url in urls} == {404}
        # A wrong token is not made good by a key beside it.
        assert {await answered(good, f"{url}?token=nonsense") for url in urls} == {404}


async def test_another_apps_token_opens_nothing(http: aiohttp.ClientSession, managed_api: Api, signed: Device) -> None:
    other = await new_app(managed_api)
    made = await managed_api("POST", f"/apps/{other}/rooms/door/links", {"page": "play"}, expect=201)
    token = made["data"]["url"].partition("token=")[2]
    async with sending(http, signed) as camera:
        await camera.send(frame("0"))
        assert await statuses(http, signed, token) == {404}


async def test_the_state_says_what_there_is(http: aiohttp.ClientSession, door: Device) -> None:
    url = door.body["mjpegUrl"].removesuffix("/mjpeg")

    async def state() -> dict[str, object]:
        async with http.get(url) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            found: dict[str, object] = (await answer.json())["data"]
            return found

    assert await state() == {
        "live": False, "bridged": False,
        "tracks": 0, "viewers": 0, "mjpegUrl": door.body["mjpegUrl"],
        "frameUrl": door.body["frameUrl"], "wsUrl": door.body["viewerWsUrl"],
    }  # fmt: skip
    async with sending(http, door):
        assert (await state())["live"] is True
