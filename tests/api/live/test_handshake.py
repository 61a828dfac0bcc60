"""A sender that is refused gets an HTTP answer before the upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import suppress

import aiohttp
import pytest

from tests.support.api_tenant import new_app
from tests.support.cameras import Device, bearer, frame, is_live, metric, new_device, refusal, refused, sending
from tests.support.product import Api, RunningProduct, eventually, running

WRONG = "wsk_" + "x" * 43


async def test_the_key_decides(http: aiohttp.ClientSession, managed_api: Api, door: Device) -> None:
    url = door.http_url
    status, code, headers, _ = await refusal(http, url)
    assert (status, code, headers["WWW-Authenticate"]) == (401, "bad_camera_key", "Bearer")
    assert await refused(http, url, WRONG) == (401, "bad_camera_key")
    assert await refused(http, url, door.key[:-1]) == (401, "bad_camera_key")
    assert await refused(http, url.replace("&room", "&nope"), door.key) == (404, "camera_not_found")
    assert await refused(http, url.partition("?")[0], door.key) == (404, "camera_not_found")
    other = await new_device(managed_api, door.app, "other")
    assert await refused(http, other.http_url, door.key) == (404, "camera_not_found")
    assert await refused(http, url.replace(f"app={door.app}&", "app=live&"), door.key) == (404, "camera_not_found")
    assert await refused(http, url.replace(f"app={door.app}&", "app=nothere&"), door.key) == (404, "camera_not_found")
    assert await refused(http, url.replace(f"app={door.app}&", "app=%00&"), door.key) == (404, "camera_not_found")
    async with sending(http, door) as camera:
        assert camera.ready["room"] == f"{door.app}-door"


async def test_the_short_name_of_the_room_will_do(http: aiohttp.ClientSession, door: Device) -> None:
    url = door.body["wsUrl"].replace(f"room={door.app}-door", "room=door")
    async with http.ws_connect(url, headers=bearer(door.key)) as socket:
        assert (await socket.receive_json())["room"] == f"{door.app}-door"


async def test_the_key_in_the_url_only_where_the_app_takes_it(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    url = f"{door.http_url}&key={door.key}"
    assert await refused(http, url) == (401, "key_in_query")
    await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraQueryKey": True}})
    async with http.ws_connect(f"{door.body['wsUrl']}&key={door.key}") as socket:
        assert (await socket.receive_json())["streamId"] == door.id
    assert await refused(http, f"{door.http_url}&key={WRONG}") == (401, "bad_camera_key")
    async with http.get(f"{managed_product.url}/metrics") as answer:
        metrics = await answer.text()
    for said in (managed_product.log, metrics):
        assert door.key not in said
        assert "wsk_" not in said


async def test_a_second_camera_is_refused_or_takes_over_as_the_app_says(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    second = await new_device(managed_api, door.app)
    async with sending(http, door) as first:
        await first.send(frame("first"))
        await is_live(managed_api, door, True)
        status, code, headers, _ = await refusal(http, second.http_url, second.key)
        assert (status, code) == (409, "room_has_camera")
        assert int(headers["Retry-After"]) > 0
        await first.send(frame("still"))  # and notices nothing of it
        await managed_api("PATCH", f"/apps/{door.app}", {"settings": {"cameraConflict": "takeover"}})
        async with sending(http, second) as camera:
            assert await first.closed() == 4409
            await camera.send(frame("second"))
            await is_live(managed_api, second, True)
            await is_live(managed_api, door, False)


async def test_the_same_key_takes_over_at_once(http: aiohttp.ClientSession, door: Device) -> None:
    async with sending(http, door) as first:
        await first.send(frame("first"))
        async with sending(http, door) as second:
            assert await first.closed(2) == 4409
            await second.send(frame("second"))
            async with http.get(door.body["frameUrl"], headers={"If-None-Match": "x"}) as answer:
                assert answer.status == 200


@pytest.fixture
def fresh_product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """One whose limits no other test has used up: they count by address, and all tests have the same."""
    with running(tmp_path_factory.mktemp("fresh")) as product:
        yield product


async def test_guessing_is_slowed_down_and_good_keys_of_the_same_address_are_not(
    fresh_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    """A hundred connections a second with a wrong key."""
    api = Api(http, fresh_product.url, fresh_product.api_key)
    app = await new_app(api, playbackPolicy="public")
    good = await new_device(api, app)
    loop = asyncio.get_running_loop()
    began = loop.time()
    delays: list[float] = []

    async def guess(number: int) -> tuple[int, str]:
        await asyncio.sleep(began + number / 100 - loop.time())
        status, code, headers, _ = await refusal(http, good.http_url, f"{WRONG}{number}")
        assert status == 401 or 0 < int(headers["Retry-After"]) <= 60
        return status, code

    async def connect() -> None:
        for _ in range(10):
            at = loop.time()
            async with sending(http, good) as camera:
                delays.append(loop.time() - at)
                await camera.send(frame("good"))
            await asyncio.sleep(0.1)  # ten connections in the two seconds of guessing

    *answers, _ = await asyncio.gather(*map(guess, range(200)), connect())
    counted = {answer: answers.count(answer) for answer in set(answers)}
    # A minute's window may end meanwhile, so it is 30 or 60.
    assert counted.keys() == {(401, "bad_camera_key"), (429, "too_many_wrong_keys")}
    assert counted[401, "bad_camera_key"] in (30, 60)
    assert max(delays) < 20  # who is slowed down waits for up to a minute
    assert "error" not in fresh_product.log.lower()

    async def none() -> bool:
        return await metric(http, fresh_product.url, "stagedoor_cameras") == 0

    await eventually(none)


async def test_a_camera_that_reconnects_all_the_time_gets_429_and_a_time_to_wait(
    http: aiohttp.ClientSession, managed_api: Api, door: Device
) -> None:
    other = await new_device(managed_api, door.app, "other")
    for _ in range(60):
        async with sending(http, door):
            pass
    with suppress(aiohttp.WSServerHandshakeError):
        for _ in range(61):  # as above, the window may have begun again
            async with sending(http, door):
                pass
    status, code, headers, _ = await refusal(http, door.http_url, door.key)
    assert (status, code) == (429, "too_many_connections")
    assert 0 < int(headers["Retry-After"]) <= 60
    async with sending(http, other):
        pass  # each key has a count of its own
