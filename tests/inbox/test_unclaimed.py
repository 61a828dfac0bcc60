"""Rooms without a known prefix stay in the inbox, counted and seen, until an app claims them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import aiohttp

from tests.support.api_tenant import fresh, problem
from tests.support.api_webhook import Sender, room_event
from tests.support.product import Api, RunningProduct, eventually


async def test_an_unclaimed_event_is_counted_listed_and_applied_when_its_app_comes(
    send: Sender, managed_api: Api, managed_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    slug = fresh("late")
    started = room_event("room_started", f"{slug}-demo")
    assert await send(started) == 200

    async def state() -> str:
        found: str = (await managed_api("GET", f"/inbox/{started['id']}"))["data"]["state"]
        return found

    async def unclaimed() -> bool:
        return await state() == "unclaimed"

    await eventually(unclaimed)
    async with http.get(f"{managed_product.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    (waiting,) = [line for line in lines if line.startswith('stagedoor_inbox_waiting{state="unclaimed"}')]
    assert float(waiting.split()[1]) >= 1
    assert started["id"] in {event["id"] for event in await listed(managed_product)}
    replay = f"/inbox/{started['id']}/replay"
    assert (await managed_api("POST", replay, expect=200))["data"]["state"] == "unclaimed"
    await managed_api("POST", "/apps", {"slug": slug}, expect=201)

    async def applied() -> bool:
        return await state() == "applied"

    await eventually(applied)
    sessions = (await managed_api("GET", f"/apps/{slug}/sessions"))["data"]
    assert [session["roomSid"] for session in sessions] == [started["room"]["sid"]]
    await managed_api("POST", replay, expect=200)
    assert (await managed_api("GET", f"/apps/{slug}/sessions"))["data"] == sessions
    assert started["id"] not in {event["id"] for event in await listed(managed_product)}


async def listed(product: RunningProduct) -> list[Any]:
    """`stagedoor inbox list --state unclaimed --json`."""
    command = product.command("events", "list", "--state", "unclaimed", "--json")
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, check=True, text=True, env=product.environment()
    )
    found: list[Any] = json.loads(done.stdout)
    return found


async def test_a_foreign_room_is_unclaimed_too(send: Sender, managed_api: Api) -> None:
    for room in ("nohyphen", "-demo", "live-", "live-live-demo", "Live-demo"):
        body = room_event("room_started", room)
        assert await send(body) == 200

        async def unclaimed(event: str = body["id"]) -> bool:
            return (await managed_api("GET", f"/inbox/{event}"))["data"]["state"] == "unclaimed"

        await eventually(unclaimed)


async def test_an_unknown_event_can_not_be_replayed(managed_api: Api) -> None:
    assert await problem(managed_api, "POST", "/inbox/EV_none/replay") == (404, "event_not_found")
    assert await problem(managed_api, "GET", "/inbox/EV_none") == (404, "event_not_found")


async def test_the_inbox_is_listed_by_state_and_room_in_pages(send: Sender, managed_api: Api) -> None:
    room = f"{fresh('nobody')}-demo"
    sent = [room_event("room_started", room) for _ in range(5)]
    for body in sent:
        assert await send(body) == 200
    newest_first = [body["id"] for body in reversed(sent)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await managed_api("GET", f"/inbox?room={room}&limit=2{cursor}", expect=200)
        seen += [event["id"] for event in page["data"]]
        assert all("body" not in event for event in page["data"])
        if page["page"]["next"] is None:
            break
        cursor = f"&cursor={page['page']['next']}"
    assert seen == newest_first
    assert (await managed_api("GET", f"/inbox?room={room}&state=failed", expect=200))["data"] == []
    assert (await problem(managed_api, "GET", "/inbox?state=lost"))[0] == 422
