"""`GET /apps/{app}/events`: the live feed, resumable without gaps or repeats."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp

from tests.support.api_feed import FeedEvent, following, take
from tests.support.api_participant import guest_in
from tests.support.api_tenant import new_app, new_key, problem
from tests.support.product import Api, RunningProduct, eventually

BEGINNING = ("event: room.created", "event: session.started")


async def test_an_event_says_what_happened(
    product: RunningProduct, http: aiohttp.ClientSession, api: Api, app: str
) -> None:
    async with following(http, product.url, product.api_key, app) as events:
        made = (await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201))["data"]
        first, second = await take(events, 2)
        assert {first.type, second.type} == {"room.created", "session.started"}
        for event in (first, second):
            assert event.data["id"] == event.id
            assert event.data["type"] == event.type
            assert (event.data["app"], event.data["room"]) == (app, "demo")
            assert (event.data["livekitRoom"], event.data["session"]) == (f"{app}-demo", made["session"])
            assert set(event.data) == {
                "id", "type", "app", "room", "livekitRoom", "session", "at", "origin", "subject", "detail",
            }  # fmt: skip
        async with guest_in(api, app, "demo", "ada") as ada:
            joined = await anext(events)
            assert (joined.type, joined.data["subject"], joined.data["origin"]) == (
                "participant.joined",
                "ada",
                "webhook",
            )
            await ada.publish_camera()
            assert (await anext(events)).type == "track.published"
        assert [event.type for event in await take(events, 2)] == ["track.unpublished", "participant.left"]


async def test_it_goes_on_where_it_was_left_while_events_are_made(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    """Readers that go away at random and come back see each event once, in order."""
    api, app = managed_api, managed_app
    url, key = managed_product.url, managed_product.api_key
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    number = 120

    async def produce(first: int) -> list[FeedEvent]:
        for index in range(first, number, 3):
            await api("PATCH", f"/apps/{app}/rooms/demo", {"metadata": str(index)}, expect=200)
        return []

    async def read(chance: random.Random) -> list[FeedEvent]:
        seen: list[FeedEvent] = []
        while sum(event.type == "room.updated" for event in seen) < number:
            after = seen[-1].id if seen else 0
            async with following(http, url, key, app, after=after) as events:
                for _ in range(chance.randint(1, 20)):
                    if sum(event.type == "room.updated" for event in seen) == number:
                        break
                    seen.append(await asyncio.wait_for(anext(events), 10))
        return seen

    readers = [read(random.Random(seed)) for seed in range(4)]
    *_, one, two, three, four = await asyncio.gather(*(produce(first) for first in range(3)), *readers)
    assert one == two == three == four
    ids = [event.id for event in one]
    assert ids == sorted(set(ids))
    changes = [event.data["detail"]["metadata"] for event in one if event.type == "room.updated"]
    assert sorted(changes, key=int) == [str(index) for index in range(number)]


async def test_without_an_id_it_begins_now_and_with_0_at_the_beginning(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    api, app = managed_api, managed_app
    url, key = managed_product.url, managed_product.api_key
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    async with following(http, url, key, app) as now:
        await api("PATCH", f"/apps/{app}/rooms/demo", {"metadata": "new"}, expect=200)
        assert (await anext(now)).type == "room.updated"
    async with following(http, url, key, app, "?after=0") as whole:
        assert [event.type for event in await take(whole, 3)] == ["session.started", "room.created", "room.updated"]


async def test_it_can_be_of_one_room(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    api, app = managed_api, managed_app
    url, key = managed_product.url, managed_product.api_key
    for name in ("one", "two"):
        await api("POST", f"/apps/{app}/rooms", {"name": name}, expect=201)
    for room in ("two", f"{app}-two"):
        async with following(http, url, key, app, f"?room={room}", after=0) as events:
            assert {event.data["room"] for event in await take(events, 2)} == {"two"}
            for name in ("one", "two"):
                await api("PATCH", f"/apps/{app}/rooms/{name}", {"metadata": room}, expect=200)
            later = await anext(events)
            while later.data["detail"].get("metadata") != room:
                later = await anext(events)
            assert later.data["room"] == "two"


async def test_it_is_of_one_app(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    api, app = managed_api, managed_app
    other = await new_app(api)
    async with following(http, managed_product.url, managed_product.api_key, app) as events:
        await api("POST", f"/apps/{other}/rooms", {"name": "demo"}, expect=201)
        await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
        assert (await anext(events)).data["app"] == app


async def test_it_ends_with_the_key(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    api, app = managed_api, managed_app
    body = {"name": "reader", "scopes": ["events:read"], "app": app}
    made = (await api("POST", "/keys", body, expect=201))["data"]
    async with following(http, managed_product.url, made["key"], app) as events:
        await api("POST", f"/apps/{app}/rooms", {"name": "one"}, expect=201)
        await take(events, 2)
        await api("DELETE", f"/keys/{made['id']}", expect=204)
        await api("POST", f"/apps/{app}/rooms", {"name": "two"}, expect=201)
        assert [event async for event in events] == []


async def test_what_is_no_place_to_go_on_from(managed_api: Api, managed_app: str) -> None:
    path = f"/apps/{managed_app}/events"
    for wrong in ("x", "-1", "9" * 30, "1.5"):
        assert await problem(managed_api, "GET", path, Last_Event_ID=wrong) == (422, "validation_failed")
        assert await problem(managed_api, "GET", f"{path}?after={wrong}") == (422, "validation_failed")
    assert await problem(managed_api, "GET", f"{path}?room={managed_app}-{managed_app}-x") == (422, "bad_room_name")


async def clients(api: Api, url: str, http: aiohttp.ClientSession) -> int:
    async with http.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return int(float(next(line for line in lines if line.startswith("stagedoor_feed_clients ")).split()[1]))


async def test_who_goes_away_at_once_gives_the_place_back(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    request = (
        f"GET /api/v1/apps/{managed_app}/events HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {managed_product.api_key}\r\n\r\n"
    ).encode()

    async def hit_and_run(_: int) -> None:
        _reader, writer = await asyncio.open_connection("127.0.0.1", managed_product.http_port)
        writer.write(request)
        await writer.drain()
        writer.transport.abort()

    for _ in range(5):
        await asyncio.gather(*map(hit_and_run, range(50)))

    async def no_readers() -> bool:
        return await clients(managed_api, managed_product.url, http) == 0

    await eventually(no_readers)


async def test_an_app_has_only_so_many_readers(limited_product: RunningProduct, http: aiohttp.ClientSession) -> None:
    api = Api(http, limited_product.url, limited_product.api_key)
    app, other = await new_app(api), await new_app(api)
    key = await new_key(api, "events:read")
    follow: Any = following(http, limited_product.url, key, app)
    async with follow, following(http, limited_product.url, key, app):
        status, answer, headers = await api.raw("GET", f"/apps/{app}/events")
        assert (status, answer["code"], answer["limit"]) == (429, "too_many_feed_clients", 2)
        assert int(headers["Retry-After"]) > 0
        async with following(http, limited_product.url, key, other):
            pass  # another app has places of its own

    async def free() -> bool:
        async with http.get(
            f"{limited_product.url}/api/v1/apps/{app}/events", headers={"Authorization": f"Bearer {key}"}
        ) as answer:
            return answer.status == 200

    await eventually(free)


async def test_a_number_of_another_database_misses_nothing(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api
) -> None:
    """The store was put back from a backup, or created again: the reader's last number is beyond what there is."""
    app = await new_app(managed_api)
    product = managed_product
    async with following(http, product.url, product.api_key, app, after=10**12) as events:
        await managed_api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
        first, second = await take(events, 2)
        assert {first.type, second.type} == {"room.created", "session.started"}


async def test_an_empty_last_event_id_is_as_none(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api, managed_app: str
) -> None:
    """A 4xx would end an EventSource for good, and some send the header empty before they have an id."""
    url = f"{managed_product.url}/api/v1/apps/{managed_app}/events"
    key = {"Authorization": f"Bearer {managed_product.api_key}"}
    await managed_api("POST", f"/apps/{managed_app}/rooms", {"name": "demo"}, expect=201)

    async def first_of(query: str, **headers: str) -> str:
        given = key | {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.get(f"{url}{query}", headers=given) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Cache-Control"] == "no-store, no-transform"
            await answer.content.readuntil(b"\n\n")
            await managed_api("PATCH", f"/apps/{managed_app}/rooms/demo", {"metadata": f"as {query}"}, expect=200)
            return (await answer.content.readuntil(b"\n\n")).decode().splitlines()[1]

    for empty in ("", " "):
        assert await first_of("", last_event_id=empty) == "event: room.updated"
        assert await first_of("?after=0", last_event_id=empty) in BEGINNING
    assert await first_of("?after=") == "event: room.updated"
    assert await first_of("?after=", last_event_id="0") in BEGINNING
    for wrong in ("abc", "5, 6", "5.0", "5_0", str(2**63), "-1"):
        async with http.get(url, headers=key | {"Last-Event-ID": wrong}) as answer:
            assert answer.status == 422, wrong


async def test_an_empty_number_in_a_query_is_as_none(managed_api: Api) -> None:
    for path in ("/apps?limit=", "/jobs?cursor=&limit=", "/inbox?cursor=%20", "/audit?cursor=&limit="):
        await managed_api("GET", path, expect=200)
