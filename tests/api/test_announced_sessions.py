"""Sessions ahead of their rooms: announced, joined with the tokens that come with them, held to their limits, ended."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from livekit import api as livekit
from livekit.protocol.room import ListRoomsRequest

from tests.support.api_participant import joined, token_for
from tests.support.api_tenant import fresh
from tests.support.product import Api, RunningProduct, eventually


@pytest.fixture
async def app(managed_api: Api) -> str:
    slug = fresh("app")
    await managed_api("POST", "/apps", {"slug": slug, "organisation": "default"}, expect=201)
    return slug


async def announced(api: Api, app: str, **body: Any) -> dict[str, Any]:
    return (await api("POST", f"/apps/{app}/sessions", body, expect=201))["data"]


async def until_state(api: Api, app: str, session: str, state: str) -> dict[str, Any]:
    async def look() -> Any:
        found = (await api("GET", f"/apps/{app}/sessions/{session}"))["data"]
        return found if found["state"] == state else None

    return await eventually(look)


def claims(token: str) -> livekit.access_token.Claims:
    return livekit.TokenVerifier("any", "any").verify(token, verify_signature=False)


async def test_it_is_announced_joined_and_over_under_one_id(managed_api: Api, app: str) -> None:
    made = await announced(
        managed_api,
        app,
        metadata='{"order":7}',
        limits={"departureTimeout": 1, "maxParticipants": 5},
        participants=[{"identity": "ada", "name": "Ada"}, {"identity": "bob", "canPublish": False}],
    )
    assert made["state"] == "created"
    assert (made["room"], made["livekitRoom"]) == (made["id"], f"{app}-{made['id']}")
    assert (made["startedAt"], made["roomSid"], made["usage"]) == (None, None, None)
    assert [token["identity"] for token in made["tokens"]] == ["ada", "bob"]
    assert (await managed_api("GET", f"/apps/{app}/sessions?state=created"))["data"][0]["id"] == made["id"]

    async with joined(made["tokens"][0]) as ada:
        assert ada.room.name == made["livekitRoom"]
        live = await until_state(managed_api, app, made["id"], "active")
        assert live["roomSid"] == await ada.room.sid
        room = (await managed_api("GET", f"/apps/{app}/rooms/{made['room']}"))["data"]
        assert (room["session"], room["metadata"]) == (made["id"], '{"order":7}')
    ended = await until_state(managed_api, app, made["id"], "ended")
    assert ended["disposition"] == "completed"
    assert [person["identity"] for person in ended["participants"]] == ["ada"]
    assert ended["usage"]["participantMinutes"] > 0
    assert (await managed_api("GET", f"/apps/{app}/sessions/{made['livekitRoom']}"))["data"]["id"] == made["id"]
    told = [entry["type"] for entry in ended["timeline"]]
    assert (told.count("session.started"), told.count("session.ended")) == (1, 1)

    for path, wish in (("tokens", {"room": made["room"]}), (f"rooms/{made['room']}/links", {"page": "meet"})):
        refused = await managed_api("POST", f"/apps/{app}/{path}", wish, expect=409)
        assert (refused["code"], refused["session"]) == ("session_ended", made["id"])


async def test_every_token_carries_what_was_announced(managed_api: Api, app: str) -> None:
    made = await announced(
        managed_api,
        app,
        kind="voice",
        roomName="support",
        agents=[{"agentName": "helper", "metadata": "be kind"}],
        limits={"emptyTimeout": "2m", "maxParticipants": 2},
    )
    later = await token_for(managed_api, app, "support", "carl", roomConfig={"maxParticipants": 99})
    for token in (made["tokens"][0]["token"], later["token"]):
        said = claims(token)
        assert said.room_config is not None
        assert (said.room_config.empty_timeout, said.room_config.max_participants) == (120, 2)
        assert [(agent.agent_name, agent.metadata) for agent in said.room_config.agents] == [("helper", "be kind")]
        assert said.video is not None
        assert set(said.video.can_publish_sources or ()) == {"microphone", "screen_share_audio"}
    again = await managed_api("POST", f"/apps/{app}/sessions", {"roomName": "support"}, expect=409)
    assert (again["code"], again["session"]) == ("session_exists", made["id"])


async def test_agents_are_called_in_and_called_off(managed_api: Api, managed_product: RunningProduct, app: str) -> None:
    made = await announced(managed_api, app, agents=[{"agentName": "nobody-answers"}])
    async with joined(made["tokens"][0]):
        await until_state(managed_api, app, made["id"], "active")
        async with managed_product.livekit() as server:
            (dispatch,) = await server.agent_dispatch.list_dispatch(made["livekitRoom"])
            assert dispatch.agent_name == "nobody-answers"
    await managed_api("POST", f"/apps/{app}/sessions/{made['id']}/end")
    await until_state(managed_api, app, made["id"], "ended")

    async def cleaned() -> Any:
        jobs = (await managed_api("GET", "/jobs?kind=session.cleanup&state=done"))["data"]
        return [job for job in jobs if job["payload"]["session"] == made["id"]]

    await eventually(cleaned)


async def test_it_lasts_no_longer_than_it_may(managed_api: Api, app: str, http: aiohttp.ClientSession) -> None:
    made = await announced(managed_api, app, limits={"maxDuration": 2})
    async with joined(made["tokens"][0]) as guest:
        await guest.gone
    ended = await until_state(managed_api, app, made["id"], "ended")
    assert ended["disposition"] == "timed_out"
    assert ended["durationMs"] >= 2000

    # Its token lives longer than it does: who comes back with it makes a room that is ended at once.
    async def refused() -> Any:
        found = (await managed_api("GET", f"/apps/{app}/sessions?state=ended"))["data"]
        return [session for session in found if session["id"] != made["id"] and session["disposition"] == "terminated"]

    # LiveKit's own client would try for half a minute; to begin to join is enough to make the room.
    query = {"access_token": made["tokens"][0]["token"], "protocol": "15"}
    async with http.ws_connect(f"{made['tokens'][0]['wsUrl']}/rtc", params=query):
        assert (await eventually(refused))[0]["room"] == made["room"]


async def comes_to_nothing(token: dict[str, Any]) -> None:
    """A participant who joins with it is removed."""
    async with joined(token) as guest:
        await guest.gone


async def test_a_name_that_a_backend_chose_is_free_again(managed_api: Api, app: str) -> None:
    made = await announced(managed_api, app, roomName="support")
    await managed_api("POST", f"/apps/{app}/sessions/{made['id']}/end")
    again = await announced(managed_api, app, roomName="support", limits={"maxDuration": 60})
    assert again["id"] != made["id"]
    async with joined(again["tokens"][0]) as invited:
        await until_state(managed_api, app, again["id"], "active")
        await comes_to_nothing(made["tokens"][0])
        assert not invited.gone.done()
        await managed_api("POST", f"/apps/{app}/sessions/{again['id']}/end")
        await invited.gone
    await until_state(managed_api, app, again["id"], "ended")
    async with joined(await token_for(managed_api, app, "support", "eve")) as welcome:
        await comes_to_nothing(again["tokens"][0])
        assert not welcome.gone.done()


async def test_a_room_that_does_not_come_in_time_does_not_come(managed_api: Api, app: str) -> None:
    made = await announced(managed_api, app, limits={"wait": 1})
    ended = await until_state(managed_api, app, made["id"], "ended")
    assert (ended["disposition"], ended["startedAt"], ended["durationMs"]) == ("expired", None, None)
    assert ended["usage"]["participantMinutes"] == 0


async def test_it_is_ended_early(managed_api: Api, app: str) -> None:
    waiting = await announced(managed_api, app)
    over = (await managed_api("POST", f"/apps/{app}/sessions/{waiting['id']}/end"))["data"]
    assert (over["state"], over["disposition"], over["durationMs"]) == ("ended", "terminated", None)
    (said,) = [entry for entry in over["timeline"] if entry["type"] == "session.ended"]
    assert (said["detail"]["disposition"], said["detail"]["durationMs"]) == ("terminated", None)
    await managed_api("POST", f"/apps/{app}/sessions/{waiting['id']}/end", expect=409)

    live = await announced(managed_api, app)
    async with joined(live["tokens"][0]) as guest:
        await until_state(managed_api, app, live["id"], "active")
        await managed_api("POST", f"/apps/{app}/sessions/{live['id']}/end")
        await guest.gone
    assert (await until_state(managed_api, app, live["id"], "ended"))["disposition"] == "terminated"


async def test_bad_wishes_are_refused_and_leave_nothing(managed_api: Api, app: str) -> None:
    for body in (
        {"kind": "smoke"},
        {"roomName": "a/b"},
        {"limits": {"maxDuration": "soon"}},
        {"limits": {"maxDuration": 0}},
        {"limits": {"wait": "90d"}},
        {"participants": [{"ttl": "900d"}]},
        {"agents": [{"agentName": ""}]},
        {"surprise": 1},
        {"roomName": "ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"},
        {"participants": [{"identity": "ada"}, {"identity": "ada"}]},
    ):
        await managed_api("POST", f"/apps/{app}/sessions", body, expect=422)
    wrong = await managed_api("POST", f"/apps/{app}/sessions", {"limits": {"maxDuration": [1]}}, expect=422)
    assert {item["field"] for item in wrong["errors"]} == {"limits.maxDuration"}
    assert (await managed_api("GET", f"/apps/{app}/sessions"))["data"] == []


async def test_a_limit_that_an_operator_lets_run_too_early_holds_all_the_same(managed_api: Api, app: str) -> None:
    made = await announced(managed_api, app, limits={"maxDuration": 4})

    async def limits() -> list[dict[str, Any]]:
        jobs = (await managed_api("GET", "/jobs?kind=session.limit"))["data"]
        return [job for job in jobs if job["payload"]["session"] == made["id"]]

    async with joined(made["tokens"][0]) as guest:
        await until_state(managed_api, app, made["id"], "active")
        for job in await limits():
            await managed_api("POST", f"/jobs/{job['id']}/retry")

        async def looked() -> Any:
            return all(job["error"] == "Its time has not come." for job in await limits())

        await eventually(looked)
        await guest.gone
    assert (await until_state(managed_api, app, made["id"], "ended"))["disposition"] == "timed_out"


async def test_what_was_announced_holds_however_the_room_is_made(
    managed_api: Api, managed_product: RunningProduct, app: str
) -> None:
    made = await announced(
        managed_api, app, metadata="from the plan", agents=[{"agentName": "helper"}], limits={"maxParticipants": 1}
    )
    wish = {"name": made["room"], "metadata": "another", "maxParticipants": 50}
    room = (await managed_api("POST", f"/apps/{app}/rooms", wish, expect=201))["data"]
    assert (room["session"], room["metadata"]) == (made["id"], "from the plan")
    async with managed_product.livekit() as server:
        (listed,) = (await server.room.list_rooms(ListRoomsRequest(names=[made["livekitRoom"]]))).rooms
        assert listed.max_participants == 1
        (dispatch,) = await server.agent_dispatch.list_dispatch(made["livekitRoom"])
        assert dispatch.agent_name == "helper"
    await managed_api("POST", f"/apps/{app}/sessions/{made['id']}/end")
