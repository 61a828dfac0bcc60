"""`/apps/{app}/sessions`: fields, filters, and who was there."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.support.api_participant import guest_in
from tests.support.api_tenant import problem
from tests.support.product import Api, eventually

SESSION = {
    "id",
    "app",
    "room",
    "livekitRoom",
    "roomSid",
    "state",
    "startedAt",
    "endedAt",
    "durationMs",
    "disposition",
    "peakParticipants",
    "participants",
    "createdAt",
    "kind",
    "metadata",
    "limits",
    "agents",
    "usage",
}
SESSION_SOURCES = {"startedAtSource", "endedAtSource"}
PARTICIPANT = {"sid", "identity", "name", "kind", "state", "joinedAt", "leftAt", "durationMs", "reason", "tracks"}
PARTICIPANT_SOURCES = {"joinedAtSource", "leftAtSource"}
TRACK = {"sid", "kind", "source", "mimeType", "publishedAt", "unpublishedAt"}
TRACK_SOURCES = {"publishedAtSource", "unpublishedAtSource"}
ENTRY = {"at", "type", "origin", "subject", "detail"}


def milliseconds(session: dict[str, Any], start: str, end: str) -> int:
    span = datetime.fromisoformat(session[end]) - datetime.fromisoformat(session[start])
    return round(span.total_seconds() * 1000)


async def only_session(api: Api, app: str, state: str) -> Any:
    """The one session of the app, once it has the state."""

    async def there() -> Any:
        listed = (await api("GET", f"/apps/{app}/sessions?state={state}"))["data"]
        return listed[0] if listed else None

    found = await eventually(there)
    return (await api("GET", f"/apps/{app}/sessions/{found['id']}", expect=200))["data"]


async def test_a_session_has_the_fields_that_were_promised(api: Api, app: str) -> None:
    await api("POST", f"/apps/{app}/rooms", {"name": "demo", "departureTimeout": 1}, expect=201)
    async with guest_in(api, app, "demo", "ada", name="Ada") as ada:
        await ada.publish_camera()

        async def published() -> Any:
            session = await only_session(api, app, "active")
            return session if session["participants"] and session["participants"][0]["tracks"] else None

        live = await eventually(published)
        assert set(live) == SESSION | SESSION_SOURCES | {"timeline"}
        assert (live["app"], live["room"], live["livekitRoom"]) == (app, "demo", f"{app}-demo")
        assert live["roomSid"].startswith("RM_")
        assert (live["endedAt"], live["durationMs"], live["disposition"]) == (None, None, None)
        (person,) = live["participants"]
        assert set(person) == PARTICIPANT | PARTICIPANT_SOURCES
        assert (person["identity"], person["name"], person["state"]) == ("ada", "Ada", "active")
        (track,) = person["tracks"]
        assert set(track) == TRACK | TRACK_SOURCES
        assert (track["kind"], track["source"], track["mimeType"]) == ("video", "camera", "video/VP8")
        assert track["unpublishedAt"] is None

    ended = await only_session(api, app, "ended")
    assert ended["id"] == live["id"]
    assert (ended["disposition"], ended["peakParticipants"]) == ("completed", 1)
    assert ended["durationMs"] == milliseconds(ended, "startedAt", "endedAt")
    (person,) = ended["participants"]
    assert (person["state"], person["reason"]) == ("left", "CLIENT_INITIATED")
    assert person["durationMs"] == milliseconds(person, "joinedAt", "leftAt")
    assert person["tracks"][0]["unpublishedAt"] is not None
    assert {frozenset(entry) for entry in ended["timeline"]} == {frozenset(ENTRY)}
    types = [entry["type"] for entry in ended["timeline"]]
    assert set(types) == {
        "room.created",
        "session.started",
        "participant.joined",
        "track.published",
        "track.unpublished",
        "participant.left",
        "session.ended",
    }
    assert types.index("participant.joined") < types.index("participant.left") < types.index("session.ended")
    origins = {entry["type"]: entry["origin"] for entry in ended["timeline"]}
    assert (origins["participant.joined"], origins["room.created"]) == ("webhook", "api")


async def test_sessions_are_filtered_by_room_state_and_time(managed_api: Api, managed_app: str) -> None:
    api, app = managed_api, managed_app
    made: dict[str, str] = {}
    for name in ("one", "two", "three"):
        made[name] = (await api("POST", f"/apps/{app}/rooms", {"name": name}, expect=201))["data"]["session"]
    await api("DELETE", f"/apps/{app}/rooms/one", expect=204)

    async def listed(query: str) -> list[str]:
        return [item["id"] for item in (await api("GET", f"/apps/{app}/sessions{query}", expect=200))["data"]]

    async def one_ended() -> bool:
        return await listed("?state=ended") == [made["one"]]

    await eventually(one_ended)
    assert await listed("") == [made["three"], made["two"], made["one"]]
    assert await listed("?state=active") == [made["three"], made["two"]]
    for room in ("two", f"{app}-two"):
        assert await listed(f"?room={room}") == [made["two"]]
    assert await listed("?room=four") == []
    two = (await api("GET", f"/apps/{app}/sessions/{made['two']}"))["data"]
    began = quote(two["startedAt"])
    assert await listed(f"?since={began}") == [made["three"], made["two"]]
    assert await listed(f"?until={began}") == [made["one"]]
    assert await listed(f"?since={began}&state=active&room=three") == [made["three"]]
    for session in (await api("GET", f"/apps/{app}/sessions"))["data"]:
        assert session == (await api("GET", f"/apps/{app}/sessions/{session['id']}"))["data"]
    brief = (await api("GET", f"/apps/{app}/sessions?timeline=false"))["data"]
    assert [session["timeline"] for session in brief] == [[], [], []]
    for wrong in ("since=yesterday", "since=2026-01-31T00:00:00", "state=open", "room=%00", "room="):
        assert (await problem(api, "GET", f"/apps/{app}/sessions?{wrong}"))[0] == 422, wrong


async def test_a_session_of_another_app_is_not_found(managed_api: Api, managed_app: str) -> None:
    made = (await managed_api("POST", f"/apps/{managed_app}/rooms", {"name": "x"}, expect=201))["data"]["session"]
    assert await problem(managed_api, "GET", f"/apps/live/sessions/{made}") == (404, "session_not_found")
