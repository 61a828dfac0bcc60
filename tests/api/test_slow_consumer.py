"""A consumer that takes our webhooks and does not answer holds up nothing: LiveKit's are acknowledged and applied."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.api_tenant import fresh
from tests.support.api_webhook import Sender, room_event
from tests.support.product import Api, RunningProduct, eventually, running
from tests.support.receiver import Taken, receiving

ROOMS = 25
"""More than there are places for deliveries to one endpoint, so that there is a queue behind those that are open."""


@pytest.fixture
def patient_product(tmp_path: Path) -> Generator[RunningProduct]:
    """It waits for a consumer, and for comparisons with LiveKit, for longer than the test takes."""
    options = {
        "STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS": "true",
        "STAGEDOOR_WEBHOOK_TIMEOUT": "600",
        "STAGEDOOR_RECONCILE_INTERVAL": "600",
    }
    with running(tmp_path, "managed", **options) as product:
        yield product


async def test_nothing_waits_for_one_that_hangs(patient_product: RunningProduct, http: aiohttp.ClientSession) -> None:
    api, send = Api(http, patient_product.url, patient_product.api_key), Sender(http, patient_product)
    async with receiving() as receiver:
        answers = asyncio.Event()

        async def hang(_request: web.Request, _taken: Taken) -> web.StreamResponse:
            await answers.wait()
            return web.Response()

        receiver.answer = hang
        hook = (await api("POST", "/apps/live/webhooks", {"url": receiver.url}, expect=201))["data"]
        names = [fresh("room") for _ in range(ROOMS)]
        started = [room_event("room_started", f"live-{name}") for name in names]
        assert await send(started[0]) == 200
        await receiver.next()  # from here on a delivery is open

        for event in started[1:]:
            assert await send(event) == 200
        for event in started:
            assert await send(room_event("room_finished", "") | {"room": event["room"]}) == 200

        async def applied() -> bool:
            ended = (await api("GET", "/apps/live/sessions?state=ended&limit=100"))["data"]
            return {session["room"] for session in ended} == set(names)

        await eventually(applied)
        assert (await api("GET", "/inbox?state=pending"))["data"] == []
        given_out = await deliveries(api, hook)
        assert {delivery["state"] for delivery in given_out} == {"pending"}, "and it has not answered once"

        answers.set()

        async def delivered() -> bool:
            found = await deliveries(api, hook)
            ended = sum(delivery["type"] == "session.ended" for delivery in found)
            return ended == ROOMS and all(delivery["state"] == "delivered" for delivery in found)

        await eventually(delivered)
        await api("DELETE", f"/webhooks/{hook['id']}", expect=204)


async def deliveries(api: Api, hook: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api("GET", f"/webhooks/{hook['id']}/deliveries?limit=100"))["data"]
    return found
