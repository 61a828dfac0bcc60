"""`/apps/{app}/ingress`: creating, listing, changing, renewing and deleting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from stagedoor.api.addresses import rtmp_url
from stagedoor.events.store import events
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.state import Video
from stagedoor.tenancy.keys import digest
from tests.api.conftest import Here
from tests.support.api_routes import application
from tests.support.api_tenant import new_app, problem
from tests.support.product import eventually

CAMERA_URL = "rtsp://viewer:hunter2@camera.example.com:554/stream1?channel=7"


async def created(here: Here, app: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await here.api("POST", f"/apps/{app}/ingress", {"room": "stage", **body}, expect=201)
    return answer["data"]


async def test_what_an_encoder_is_given_by_type(here: Here) -> None:
    app = await new_app(here.api)
    pushed = await created(here, app, inputType="rtmp", participantIdentity="obs", participantName="Main stage")
    assert pushed["url"] == "rtmp://127.0.0.1:1935/live"
    assert pushed["streamKey"].startswith("stk_")
    assert pushed["hint"] == pushed["streamKey"][-4:]
    assert (pushed["roomName"], pushed["shortRoom"]) == (f"{app}-stage", "stage")
    assert (pushed["participantIdentity"], pushed["participantName"]) == ("obs", "Main stage")
    assert (pushed["transcoding"], pushed["enabled"], pushed["start"]) == ("auto", True, None)
    assert pushed["layers"] == "single"
    assert pushed["state"] == {
        "status": "inactive",
        "error": None,
        "startedAt": None,
        "participantSid": None,
        "video": None,
        "audio": None,
        "restarts": 0,
        "lastFrameAt": None,
    }

    whip = await created(here, app, inputType="whip")
    assert whip["url"] == f"{here.url}/whip/{app}/{app}-stage"
    assert whip["streamKey"].startswith("stk_")

    pulled = await created(here, app, inputType="url", url=CAMERA_URL, start="demand")
    assert pulled["url"] == "rtsp://***@camera.example.com:554/stream1?channel=***"
    assert (pulled["streamKey"], pulled["hint"], pulled["start"]) == (None, None, "demand")

    identities = {one["participantIdentity"] for one in (pushed, whip, pulled)}
    assert len(identities) == 3, "of two participants with one identity LiveKit keeps one"


async def test_creating_an_ingress_wakes_the_pulls_of_an_idle_node(here: Here) -> None:
    app = await new_app(here.api)
    woken = asyncio.Event()
    here.services.ingress.listen(woken.set)
    await created(here, app, inputType="url", url=CAMERA_URL)
    assert woken.is_set()


async def test_the_key_is_shown_once_and_stored_as_a_hash(here: Here) -> None:
    app = await new_app(here.api)
    made = await created(here, app, inputType="rtmp")
    path = f"/apps/{app}/ingress/{made['ingressId']}"
    shown = (await here.api("GET", path))["data"]
    assert "streamKey" not in shown
    assert shown == {name: value for name, value in made.items() if name != "streamKey"}
    rows = await here.services.database.read(lambda tx: tx.execute(select(store.ingresses)).all())
    assert made["streamKey"] not in str(rows)
    assert rows[0].digest == digest(made["streamKey"])

    renewed = (await here.api("POST", f"{path}/rotate"))["data"]
    assert renewed["streamKey"] != made["streamKey"]
    found = await here.services.database.read(
        lambda tx: [store.ingress_by_digest(tx, digest(one["streamKey"])) for one in (made, renewed)]
    )
    assert [one and one.id for one in found] == [None, made["ingressId"]]


async def test_the_credentials_of_a_url_are_sealed(here: Here) -> None:
    app = await new_app(here.api)
    made = await created(here, app, inputType="url", url=CAMERA_URL)
    rows = await here.services.database.read(lambda tx: tx.execute(select(store.ingresses)).all())
    assert "hunter2" not in str(rows)
    assert here.services.sealer.open(rows[0].sealed_url) == CAMERA_URL.encode()
    audited = (await here.api("GET", f"/audit?app={app}"))["data"]
    assert "hunter2" not in str(audited)

    other = CAMERA_URL.replace("hunter2", "*******")
    path = f"/apps/{app}/ingress/{made['ingressId']}"
    await here.api("PATCH", path, {"url": other})
    sealed = await here.services.database.read(lambda tx: store.sealed_url(tx, made["ingressId"]))
    assert sealed is not None
    assert here.services.sealer.open(sealed) == other.encode()
    assert await problem(here.api, "POST", f"{path}/rotate") == (409, "ingress_has_no_key")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"inputType": "url"}, 422, "url_missing"),
        ({"inputType": "rtmp", "url": "rtsp://camera/1"}, 422, "url_not_wanted"),
        ({"inputType": "whip", "start": "demand"}, 422, "no_start"),
        ({"inputType": "url", "url": "file:///etc/passwd"}, 422, "unknown_scheme"),
        ({"inputType": "url", "url": "rtsp://"}, 422, "bad_url"),
        ({"inputType": "srt"}, 422, "validation_failed"),
        ({"inputType": "rtmp", "room": "no/room"}, 422, "bad_room_name"),
        ({"inputType": "rtmp", "participantIdentity": ".."}, 422, "identity_unaddressable"),
        ({"inputType": "rtmp", "transcoding": "sometimes"}, 422, "validation_failed"),
        ({"inputType": "rtmp", "layers": "ladder", "transcoding": "never"}, 422, "ladder_is_transcoded"),
        ({"inputType": "whip", "layers": "ladder"}, 422, "layers_not_wanted"),
        ({"inputType": "whip", "transcoding": "always"}, 422, "transcoding_not_wanted"),
        ({"inputType": "rtmp", "participantIdentity": "a\nb"}, 422, "identity_controls"),
        ({"inputType": "rtmp", "key": "mine"}, 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_is_refused(here: Here, body: dict[str, Any], status: int, code: str) -> None:
    app = await new_app(here.api)
    assert await problem(here.api, "POST", f"/apps/{app}/ingress", {"room": "stage", **body}) == (status, code)


async def test_two_ingresses_of_a_room_have_two_identities(here: Here) -> None:
    app = await new_app(here.api)
    await created(here, app, inputType="rtmp", participantIdentity="obs")
    other = await created(here, app, inputType="whip", participantIdentity="phone")
    body = {"room": "stage", "inputType": "rtmp", "participantIdentity": "obs"}
    assert await problem(here.api, "POST", f"/apps/{app}/ingress", body) == (409, "identity_in_use")
    path = f"/apps/{app}/ingress/{other['ingressId']}"
    assert await problem(here.api, "PATCH", path, {"participantIdentity": "obs"}) == (409, "identity_in_use")
    await here.api("PATCH", path, {"participantIdentity": "phone", "participantName": "Phone"})
    await created(here, app, inputType="rtmp", participantIdentity="obs", room="elsewhere")


async def test_an_app_has_only_so_many_ingresses(here: Here) -> None:
    app = await new_app(here.api, ingressLimit=1)
    made = await created(here, app, inputType="rtmp")
    status, answer, _ = await here.api.raw("POST", f"/apps/{app}/ingress", {"room": "stage", "inputType": "rtmp"})
    assert (status, answer["code"], answer["limit"]) == (429, "too_many_ingresses", 1)
    assert "ingressLimit" in answer["detail"]
    await here.api("DELETE", f"/apps/{app}/ingress/{made['ingressId']}", expect=204)
    await created(here, app, inputType="rtmp")


async def test_lists_are_of_the_app_and_room_in_pages(here: Here) -> None:
    app, other = await new_app(here.api), await new_app(here.api)
    made = [await created(here, app, inputType="rtmp", room=room) for room in ("stage", "stage", "hall")]
    await created(here, other, inputType="rtmp")
    first = await here.api("GET", f"/apps/{app}/ingress?limit=2")
    rest = await here.api("GET", f"/apps/{app}/ingress?limit=2&cursor={first['page']['next']}")
    assert [one["ingressId"] for one in first["data"] + rest["data"]] == [one["ingressId"] for one in made]
    assert rest["page"]["next"] is None
    hall = await here.api("GET", f"/apps/{app}/ingress?room=hall")
    assert [one["ingressId"] for one in hall["data"]] == [made[2]["ingressId"]]
    assert await problem(here.api, "GET", f"/apps/{other}/ingress/{made[0]['ingressId']}") == (404, "ingress_not_found")


async def test_a_repeated_request_makes_one_ingress(here: Here) -> None:
    app = await new_app(here.api)
    body = {"room": "stage", "inputType": "rtmp"}
    answers = [await here.api.raw("POST", f"/apps/{app}/ingress", body, **{"Idempotency-Key": "1"}) for _ in range(2)]
    assert answers[0][1] == answers[1][1]
    assert len((await here.api("GET", f"/apps/{app}/ingress"))["data"]) == 1


async def test_changes_are_in_the_audit_trail(here: Here) -> None:
    app = await new_app(here.api)
    made = await created(here, app, inputType="rtmp")
    path = f"/apps/{app}/ingress/{made['ingressId']}"
    assert (await here.api("PATCH", path, {"enabled": False, "room": "hall"}))["data"]["roomName"] == f"{app}-hall"
    await here.api("POST", f"{path}/rotate")
    await here.api("DELETE", path, expect=204)
    assert await problem(here.api, "GET", path) == (404, "ingress_not_found")
    entries = (await here.api("GET", f"/audit?app={app}"))["data"]
    done = [entry["action"] for entry in entries if entry["target"] == made["ingressId"]]
    assert done == ["ingress.deleted", "ingress.rotated", "ingress.changed", "ingress.created"]
    assert made["streamKey"] not in str(entries)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"rtmp_listen": "0.0.0.0:2935"}, "rtmp://127.0.0.1:2935/live"),
        (
            {"rtmp_listen": "0.0.0.0:1935", "public_url": "https://media.example.com"},
            "rtmp://media.example.com:1935/live",
        ),
        ({"rtmp_listen": "[::]:1935", "public_url": "http://[2001:db8::1]:8080"}, "rtmp://[2001:db8::1]:1935/live"),
        ({"rtmp_url": "rtmps://push.example.com/live/"}, "rtmps://push.example.com/live"),
        ({"rtmp_listen": "off"}, None),
    ],
)
async def test_the_address_for_encoders_follows_the_settings(
    tmp_path: Path, settings: dict[str, str], url: str | None
) -> None:
    async with application(tmp_path, **settings) as (_, services):
        assert rtmp_url(services) == url


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("DELETE", "", None, "deleted"),
        ("POST", "/rotate", None, "key_rotated"),
        ("PATCH", "", {"enabled": False}, "disabled"),
        ("PATCH", "", {"room": "hall"}, "changed"),
    ],
)
async def test_a_change_that_ends_the_stream_shows_at_once(
    here: Here, method: str, path: str, body: Any, reason: str
) -> None:
    app = await new_app(here.api)
    made = await created(here, app, inputType="rtmp")
    sessions = here.services.ingress
    looking = asyncio.create_task(sessions.run())
    live = await sessions.begin(await sessions.authenticate([made["streamKey"]], "rtmp"), "rtmp")
    live.published(Video("h264", "High", 1280, 720), None)
    address = f"/apps/{app}/ingress/{made['ingressId']}"

    async def publishes() -> bool:
        state = (await here.api("GET", address))["data"]["state"]
        return state["status"] == "publishing" and state["video"]["codec"] == "h264"

    await eventually(publishes)
    await here.api("PATCH", address, {"participantName": "Other", "layers": "ladder"})
    assert (await here.api.raw("PATCH", address, {"transcoding": "never"}))[0] == 422
    await here.api("PATCH", address, {"layers": "single", "transcoding": "never"})
    assert not live.ending.done(), "these hold from the next connection on"
    status, answer, _ = await here.api.raw(method, address + path, body)
    assert status < 300
    if method != "DELETE":
        assert answer["data"]["state"]["status"] == "inactive"
    assert (await asyncio.wait_for(live.ending, 30)).code == reason
    live.end(live.ending.result())
    looking.cancel()
    found = await here.services.database.read(
        lambda tx: tx.execute(select(events.c.type).where(events.c.type.like("ingress.%"))).scalars().all()
    )
    assert found == ["ingress.started", "ingress.ended"]


async def test_no_caller_says_how_media_came_in(here: Here) -> None:
    app = await new_app(here.api)
    body = {"room": "stage", "identity": "ada", "attributes": {"stagedoor.source": "rtmp"}}
    assert await problem(here.api, "POST", f"/apps/{app}/tokens", body) == (422, "attribute_reserved")
    session = {"participants": [{"identity": "ada", "attributes": {"stagedoor.source": "rtmp"}}]}
    assert await problem(here.api, "POST", f"/apps/{app}/sessions", session) == (422, "attribute_reserved")
