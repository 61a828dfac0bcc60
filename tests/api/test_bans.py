"""`DELETE …/participants/{identity}?ban=`: LiveKit does not revoke a token, so who comes back is removed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from tests.support.api_participant import Guest, joined, token_for
from tests.support.api_tenant import new_app, problem
from tests.support.product import Api, RunningProduct, eventually


async def refused(api: Api, app: str, identity: str) -> bool:
    status, answer, _ = await api.raw("POST", f"/apps/{app}/tokens", {"room": "demo", "identity": identity})
    return status == 409 and answer["code"] == "identity_banned"


async def removals(api: Api, app: str) -> list[Any]:
    sessions = (await api("GET", f"/apps/{app}/sessions"))["data"]
    session = (await api("GET", f"/apps/{app}/sessions/{sessions[-1]['id']}"))["data"]
    return [entry for entry in session["timeline"] if entry["type"] == "participant.removed"]


async def test_who_is_banned_is_removed_again_and_gets_no_token(api: Api, app: str) -> None:
    token = await token_for(api, app, "demo", "eve")
    async with joined(await token_for(api, app, "demo", "ada")) as ada:
        async with joined(token) as eve:

            async def there() -> bool:
                return "eve" in ada.room.remote_participants

            await eventually(there)
            await api("DELETE", f"/apps/{app}/rooms/demo/participants/eve?ban=10m", expect=204)
            await asyncio.wait_for(eve.gone, 10)
        async with joined(token) as eve:  # LiveKit lets the old token in
            await asyncio.wait_for(eve.gone, 10)
        status, answer, _ = await api.raw("POST", f"/apps/{app}/tokens", {"room": f"{app}-demo", "identity": "eve"})
        assert (status, answer["code"]) == (409, "identity_banned")
        assert datetime.fromisoformat(answer["until"]).tzinfo is not None
        assert not await refused(api, app, "ada")
        elsewhere = {"room": "other", "identity": "eve"}
        await api("POST", f"/apps/{app}/tokens", elsewhere, expect=201)
        assert not ada.gone.done()

        async def both() -> bool:
            return len(await removals(api, app)) == 2

        await eventually(both)
        first, second = await removals(api, app)
        assert first["detail"]["bannedUntil"] == answer["until"]
        assert second["detail"] == {"because": "ban"}
        assert {first["subject"], second["subject"]} == {"eve"}


async def test_a_ban_ends(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    await api("DELETE", f"/apps/{app}/rooms/demo/participants/eve?ban=2s", expect=204)
    assert await refused(api, app, "eve")

    async def over() -> bool:
        return not await refused(api, app, "eve")

    await eventually(over)


@pytest.mark.parametrize("ban", ["", "ten", "-1m", "0s", "366d", "1.5h"])
async def test_a_ban_is_a_duration(managed_api: Api, ban: str) -> None:
    path = f"/apps/live/rooms/demo/participants/eve?ban={ban}"
    status, code = await problem(managed_api, "DELETE", path)
    assert (status, code in {"validation_failed", "bad_ban", "room_not_found"}) in {(422, True), (404, True)}


async def test_no_way_leads_the_banned_to_a_token(
    managed_api: Api, managed_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    """Bridged cameras are the fifth way, in tests of bridges."""
    app = await new_app(managed_api)
    await managed_api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    for page in ("play", "embed", "meet", "publish"):
        link = (await managed_api("POST", f"/apps/{app}/rooms/demo/links", {"page": page}, expect=201))["data"]["url"]
        join = link.replace("?", "/join?")
        async with http.post(join, json={"visitor": f"tab of {page}"}) as answer:
            guest = (await answer.json())["data"]["identity"]
        await ban(managed_api, app, guest)
        async with http.post(join, json={"visitor": f"tab of {page}"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (409, "identity_banned")

    old = await token_for(managed_api, app, "demo", "mallory")
    await ban(managed_api, app, "mallory")
    for page in ("play", "embed", "meet", "publish"):
        url = f"{managed_product.url}/{page}/{app}/{app}-demo"
        async with http.post(f"{url}/join?token={old['token']}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "no_such_page")
        async with http.get(f"{url}?token={old['token']}") as answer:
            assert answer.status == 404
    assert await refused(managed_api, app, "mallory")

    before = (await managed_api("GET", f"/apps/{app}/sessions"))["data"]
    people = [{"identity": "ada"}, {"identity": "mallory"}]
    await managed_api("DELETE", f"/apps/{app}/rooms/demo", expect=204)
    wish = {"roomName": "demo", "participants": people}
    status, answer, _ = await managed_api.raw("POST", f"/apps/{app}/sessions", wish)
    assert (status, answer["code"]) == (409, "identity_banned")
    after = (await managed_api("GET", f"/apps/{app}/sessions"))["data"]
    assert [session["id"] for session in after] == [session["id"] for session in before], "a session was announced"


async def ban(api: Api, app: str, identity: str) -> None:
    await api("DELETE", f"/apps/{app}/rooms/demo/participants/{identity}?ban=10m", expect=204)


async def test_who_is_banned_while_a_token_is_minted_does_not_stay(
    every_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    """Minting reads the bans, a ban is set, and the token is issued all the same: neither order is a way in."""
    api = Api(http, every_product.url, every_product.api_key)
    app = await new_app(api)
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    identities = [f"eve-{number}" for number in range(6)]

    async def mint(identity: str) -> list[Any]:
        answers = [
            await api.raw("POST", f"/apps/{app}/tokens", {"room": "demo", "identity": identity}) for _ in range(6)
        ]
        assert {status for status, _, _ in answers} <= {201, 409}
        return [answer["data"] for status, answer, _ in answers if status == 201]

    minted = await asyncio.gather(*map(mint, identities), *(ban(api, app, identity) for identity in identities))
    last = [tokens[-1] for tokens in minted if tokens]
    assert last, "every token was refused, which shows nothing"
    async with all_in(last) as guests:
        for guest in guests:
            await asyncio.wait_for(guest.gone, 30)
    for identity in identities:
        assert await refused(api, app, identity)


@asynccontextmanager
async def all_in(tokens: list[Any]) -> AsyncGenerator[list[Guest]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(joined(token)) for token in tokens]


async def test_two_bans_of_one_identity_at_once(every_product: RunningProduct, http: aiohttp.ClientSession) -> None:
    api = Api(http, every_product.url, every_product.api_key)
    app = await new_app(api)
    await api("POST", f"/apps/{app}/rooms", {"name": "demo"}, expect=201)
    for number in range(5):
        await asyncio.gather(*(ban(api, app, f"eve-{number}") for _ in range(8)))
        assert await refused(api, app, f"eve-{number}")
