"""An event of a room whose app is made at the same moment is applied, whichever of the two is stored first."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from stagedoor.inbox import store
from tests.api.test_front import call
from tests.support.api_routes import application
from tests.support.api_tenant import fresh
from tests.support.api_webhook import room_event, signed

KEY = [(b"authorization", b"Bearer operator-secret"), (b"content-type", b"application/json")]


async def test_no_event_stays_unclaimed(tmp_path: Path) -> None:
    async with application(tmp_path) as (app, services):
        made = await call(app, "POST", "/api/v1/organisations", KEY, b'{"name":"One","slug":"one"}')
        assert made[0] == 201, made
        organisation = json.loads(made[2])["data"]["id"]
        endpoint = services.gateway.endpoint
        slugs = [fresh("app").replace("-", "") for _ in range(10)]

        async def send(slug: str, number: int) -> None:
            await asyncio.sleep(0.0002 * number)
            body = json.dumps(room_event("room_started", f"{slug}-room{number}")).encode()
            token = signed(endpoint.api_key, endpoint.api_secret, body)
            assert await services.receiver.receive(body, token, None) == "stored"

        async def make(slug: str) -> None:
            await asyncio.sleep(0.003)
            body = json.dumps({"slug": slug, "organisation": organisation}).encode()
            made = await call(app, "POST", "/api/v1/apps", KEY, body)
            assert made[0] == 201, made

        for slug in slugs:
            await asyncio.gather(*(send(slug, number) for number in range(30)), make(slug))
        await services.applier.drain()
        counts: dict[str, Any] = {}
        for slug in slugs:
            for number in range(30):
                room = f"{slug}-room{number}"
                (event,) = await services.database.read(
                    lambda tx, room=room: store.list_events(tx, state=None, livekit_room=room, before=None, limit=9)
                )
                counts[event.state] = counts.get(event.state, 0) + 1
        assert counts == {"applied": 300}


async def test_what_is_plainly_of_no_app_is_stored_as_such_and_need_not_be_applied(tmp_path: Path) -> None:
    async with application(tmp_path) as (_, services):
        endpoint = services.gateway.endpoint
        nowhere = room_event("room_started", "nobody-room")
        elsewhere = room_event("room_started", "noapp")
        strange = room_event("room_painted", "nobody-room")
        nameless = room_event("track_published", "")
        for body in (nowhere, elsewhere, strange, nameless):
            raw = json.dumps(body).encode()
            await services.receiver.receive(raw, signed(endpoint.api_key, endpoint.api_secret, raw), None)

        async def states() -> list[str]:
            found = [
                await services.database.read(lambda tx, event=event: store.get_event(tx, event["id"]))
                for event in (nowhere, elsewhere, strange, nameless)
            ]
            return [one.state for one in found if one is not None]

        assert await states() == ["unclaimed", "unclaimed", "pending", "pending"]
        await services.applier.drain()
        assert await states() == ["unclaimed", "unclaimed", "ignored", "unclaimed"]
