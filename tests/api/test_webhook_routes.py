"""Outgoing webhooks as a backend uses them: made over REST, notified of real rooms, tested, looked into, sent again."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook

from stagedoor.events.catalogue import CATALOGUE
from tests.support.api_feed import following, take
from tests.support.api_tenant import fresh, new_app
from tests.support.product import Api, RunningProduct, eventually, running
from tests.support.receiver import Receiver, receiving, status


@pytest.fixture(scope="module")
def product_of_hooks(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """A product whose operator lets webhooks go to this machine."""
    folder: Path = tmp_path_factory.mktemp("hooks")
    options = {
        "STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS": "true",
        "STAGEDOOR_WEBHOOK_RETRY_DELAYS": "1s,1s",
        "STAGEDOOR_WEBHOOK_TIMEOUT": "2",
    }
    with running(folder, "managed", **options) as product:
        yield product


@pytest.fixture
def hooks_api(product_of_hooks: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product_of_hooks.url, product_of_hooks.api_key)


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as made:
        yield made


async def made(api: Api, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    """An endpoint of the app `live`."""
    return (await api("POST", "/apps/live/webhooks", {"url": receiver.url} | fields, expect=201))["data"]


async def delivered(api: Api, hook: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    """Its deliveries, oldest first, once all of these types are delivered."""

    async def look() -> Any:
        found = (await api("GET", f"/webhooks/{hook['id']}/deliveries?state=delivered"))["data"][::-1]
        return found if [one["type"] for one in found] == list(types) else None

    return await eventually(look)


async def test_the_events_of_a_real_room_are_delivered(hooks_api: Api, receiver: Receiver) -> None:
    hook = await made(hooks_api, receiver, types=["room.*"])
    room = fresh("room")
    await hooks_api("POST", "/apps/live/rooms", {"name": room}, expect=201)
    (first,) = await delivered(hooks_api, hook, "room.created")
    message = Webhook(hook["secret"]).verify(receiver.taken[0].body, receiver.taken[0].headers)
    assert (message["type"], message["data"]["room"]) == ("room.created", room)
    detail = (await hooks_api("GET", f"/webhooks/{hook['id']}/deliveries/{first['id']}"))["data"]
    assert json.loads(detail["request"]) == message
    assert [(attempt["outcome"], attempt["status"]) for attempt in detail["history"]] == [("ok", 200)]
    assert detail["history"][0]["requestHeaders"]["webhook-id"] == detail["messageId"] == message["id"]

    again = await hooks_api("POST", f"/webhooks/{hook['id']}/deliveries/{first['id']}/redeliver", expect=202)
    assert again["data"]["state"] == "pending"
    await delivered(hooks_api, hook, "room.created")
    assert receiver.ids == [message["id"]] * 2
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def test_the_secret_is_shown_once_and_can_be_changed(hooks_api: Api, receiver: Receiver) -> None:
    hook = await made(hooks_api, receiver)
    shown = (await hooks_api("GET", f"/webhooks/{hook['id']}"))["data"]
    assert shown == {name: value for name, value in hook.items() if name != "secret"}
    rotated = (await hooks_api("POST", f"/webhooks/{hook['id']}/rotate", {"overlap": "1h"}))["data"]
    assert rotated["secret"] != hook["secret"]
    assert rotated["oldSecretUntil"]
    test = (await hooks_api("POST", f"/webhooks/{hook['id']}/test"))["data"]
    assert (test["outcome"], test["status"]) == ("ok", 200)
    for secret in (hook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(receiver.taken[0].body, receiver.taken[0].headers)["type"] == "webhook.test"
    twice = await hooks_api("POST", f"/webhooks/{hook['id']}/rotate", {"overlap": "1h"}, expect=409)
    assert twice["code"] == "rotation_running"
    leaked = (await hooks_api("POST", f"/webhooks/{hook['id']}/rotate", {"overlap": "0s"}))["data"]
    assert leaked["oldSecretUntil"] is None
    bad = await hooks_api("POST", f"/webhooks/{hook['id']}/rotate", {"overlap": "90d"}, expect=422)
    assert bad["code"] == "bad_duration"
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def test_the_test_button_says_what_is_wrong(hooks_api: Api, receiver: Receiver) -> None:
    hook = await made(hooks_api, receiver, types=["webhook.disabled"])
    receiver.answer = status(418)
    assert (await hooks_api("POST", f"/webhooks/{hook['id']}/test"))["data"]["status"] == 418
    for url, outcome in (("http://127.0.0.1:9/x", "connection"), (receiver.url.replace("http:", "https:"), "tls")):
        await hooks_api("PATCH", f"/webhooks/{hook['id']}", {"url": url})
        assert (await hooks_api("POST", f"/webhooks/{hook['id']}/test"))["data"]["outcome"] == outcome
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def test_what_happened_while_it_was_disabled_can_be_recovered(hooks_api: Api, receiver: Receiver) -> None:
    began = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    hook = await made(hooks_api, receiver, types=["room.created"], enabled=False)
    room = fresh("room")
    await hooks_api("POST", "/apps/live/rooms", {"name": room}, expect=201)
    refused = await hooks_api("POST", f"/webhooks/{hook['id']}/recover?since={began.replace('+', '%2B')}", expect=409)
    assert refused["code"] == "webhook_disabled"
    await hooks_api("PATCH", f"/webhooks/{hook['id']}", {"enabled": True})
    await hooks_api("POST", f"/webhooks/{hook['id']}/recover?since={began.replace('+', '%2B')}", expect=202)

    async def came() -> bool:
        return room in {json.loads(taken.body)["data"]["room"] for taken in receiver.taken}

    await eventually(came)
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def test_an_organisations_webhook_hears_of_every_app(hooks_api: Api, receiver: Receiver) -> None:
    app = fresh("app")
    await hooks_api("POST", "/apps", {"slug": app, "organisation": "default"}, expect=201)
    body = {"url": receiver.url, "types": ["room.created"], "organisation": "default"}
    hook = (await hooks_api("POST", "/webhooks", body, expect=201))["data"]
    assert hook["app"] is None
    for slug in ("live", app):
        await hooks_api("POST", f"/apps/{slug}/rooms", {"name": fresh("room")}, expect=201)
    await delivered(hooks_api, hook, "room.created", "room.created")
    assert {json.loads(taken.body)["data"]["app"] for taken in receiver.taken} == {"live", app}
    assert hook["id"] in {one["id"] for one in (await hooks_api("GET", "/webhooks"))["data"]}
    assert (await hooks_api("GET", f"/apps/{app}/webhooks"))["data"] == []
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)
    await hooks_api("GET", f"/webhooks/{hook['id']}", expect=404)


async def test_bad_endpoints_are_refused(hooks_api: Api, managed_api: Api) -> None:
    url = "https://hooks.example.com/x"
    unknown = await hooks_api("POST", "/apps/live/webhooks", {"url": url, "types": ["nothing.happened"]}, expect=422)
    assert unknown["code"] == "unknown_event_type"
    assert (await hooks_api("POST", "/webhooks", {"url": url}, expect=422))["code"] == "organisation_required"
    for bad in ("http://hooks.example.com/x", "https://127.0.0.1/x", "https://a:b@example.com/"):
        refused = await managed_api("POST", "/apps/live/webhooks", {"url": bad}, expect=422)
        assert refused["code"] == "bad_webhook_url"


async def test_every_delivered_type_is_in_the_catalogue(hooks_api: Api, receiver: Receiver) -> None:
    hook = await made(hooks_api, receiver)
    room = fresh("room")
    await hooks_api("POST", "/apps/live/rooms", {"name": room, "metadata": "a"}, expect=201)
    await hooks_api("PATCH", f"/apps/live/rooms/{room}", {"metadata": "b"})
    await hooks_api("DELETE", f"/apps/live/rooms/{room}", expect=204)

    async def all_came() -> bool:
        return {"room.created", "room.updated", "room.deleted", "session.started", "session.ended"} <= {
            json.loads(taken.body)["type"] for taken in receiver.taken
        }

    await eventually(all_came)
    common = {"organisation", "app", "room", "livekitRoom", "sessionId", "subject", "origin"}
    for taken in receiver.taken:
        message = json.loads(taken.body)
        assert message["data"].keys() - common == CATALOGUE[message["type"]].detail.keys() - common
    await hooks_api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def test_an_event_about_no_room_ends_no_feed(
    product_of_hooks: RunningProduct, http: aiohttp.ClientSession, hooks_api: Api
) -> None:
    """`webhook.disabled` is about an endpoint: all readers of the app were cut off there, again at each return."""
    app = await new_app(hooks_api)
    product = product_of_hooks
    async with receiving() as receiver, following(http, product.url, product.api_key, app) as connected:
        receiver.answer = status(410)
        hook = (await hooks_api("POST", f"/apps/{app}/webhooks", {"url": receiver.url}, expect=201))["data"]
        await hooks_api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
        seen = await take(connected, 3)
        await hooks_api("POST", f"/apps/{app}/rooms", {"name": "later"}, expect=201)
        seen += await take(connected, 2)
    disabled = next(event for event in seen if event.type == "webhook.disabled")
    assert (disabled.data["room"], disabled.data["livekitRoom"]) == (None, "")
    assert disabled.data["subject"] == hook["id"]
    assert seen[-1].data["room"] == "later"
    async with following(http, product.url, product.api_key, app, after=0) as again:
        assert await take(again, 5) == seen
