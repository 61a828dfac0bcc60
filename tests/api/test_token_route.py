"""`POST /apps/{app}/tokens`."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.api_participant import guest_in
from tests.support.api_tenant import new_app, problem
from tests.support.product import Api, RunningProduct, eventually

FIELDS = {"token", "app", "room", "identity", "wsUrl", "playUrl", "embedUrl", "expiresAt", "warning"}


async def test_the_answer_of_the_first_document(managed_api: Api, managed_product: RunningProduct) -> None:
    body = {"room": "demo", "identity": "phone-42", "canPublish": True, "canSubscribe": True, "ttl": "1h"}
    answer = (await managed_api("POST", "/apps/live/tokens", body, expect=201))["data"]
    assert set(answer) == FIELDS
    assert (answer["app"], answer["room"], answer["identity"]) == ("live", "live-demo", "phone-42")
    assert answer["wsUrl"] == managed_product.ready["livekit"]["url"]
    assert answer["playUrl"].startswith(f"{managed_product.url}/play/live/live-demo?token=")
    assert answer["embedUrl"].startswith(f"{managed_product.url}/embed/live/live-demo?token=")
    ends = datetime.fromisoformat(answer["expiresAt"]).astimezone(UTC).timestamp()
    assert abs(ends - time.time() - 3600) < 10


async def test_an_identity_is_made_up_and_returned(managed_api: Api) -> None:
    one = (await managed_api("POST", "/apps/live/tokens", {"room": "demo"}, expect=201))["data"]["identity"]
    other = (await managed_api("POST", "/apps/live/tokens", {"room": "demo"}, expect=201))["data"]["identity"]
    assert one
    assert one != other


async def test_short_and_livekit_name_mean_the_same_room(managed_api: Api, managed_product: RunningProduct) -> None:
    for room in ("demo", "live-demo"):
        answer = (await managed_api("POST", "/apps/live/tokens", {"room": room}, expect=201))["data"]
        assert answer["room"] == "live-demo"
        assert answer["playUrl"].startswith(f"{managed_product.url}/play/live/live-demo?")


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1d", 86_400), ("2d", 172_800), (90, 90), (59.5, 60), ("120", 120)],
)
async def test_every_form_of_ttl(managed_api: Api, ttl: str | float, seconds: int) -> None:
    answer = (await managed_api("POST", "/apps/live/tokens", {"room": "demo", "ttl": ttl}, expect=201))["data"]
    ends = datetime.fromisoformat(answer["expiresAt"]).timestamp()
    assert abs(ends - time.time() - seconds) < 10


@pytest.mark.parametrize("ttl", ["", "1w", "-1", "1.5h", " 1h", "0s", 0, -5, 1e300, True, [], "9" * 30])
async def test_a_ttl_that_is_none(managed_api: Api, ttl: object) -> None:
    status, _ = await problem(managed_api, "POST", "/apps/live/tokens", {"room": "demo", "ttl": ttl})
    assert status == 422


async def test_the_app_limits_the_ttl(managed_api: Api) -> None:
    app = await new_app(managed_api, maxTokenTtl="10m")
    status, answer, _ = await managed_api.raw("POST", f"/apps/{app}/tokens", {"room": "demo", "ttl": "11m"})
    assert (status, answer["code"], answer["maxTtl"]) == (422, "ttl_too_long", "10m")
    unsaid = (await managed_api("POST", f"/apps/{app}/tokens", {"room": "demo"}, expect=201))["data"]
    assert datetime.fromisoformat(unsaid["expiresAt"]).timestamp() - time.time() < 601


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"room": ""},
        {"room": 5},
        {"room": "a/b"},
        {"room": "live-live-x"},
        {"room": "x" * 257},
        {"room": "a\x00b"},
        {"room": "demo", "identity": ""},
        {"room": "demo", "identity": "a\x00"},
        {"room": "demo", "attributes": {f"k{number}": "x" * 8_000 for number in range(9)}},
        {"room": "demo", "unknown": 1},
        {"room": "demo", "canPublish": "yes"},
        {"room": "demo", "canPublishSources": ["kitchen"]},
        {"room": "demo", "audioOnly": True, "canPublishSources": ["camera"]},
        {"room": "demo", "attributes": {"a": 1}},
        {"room": "demo", "roomConfig": {"egress": {}}},
        {"room": "demo", "roomConfig": {"emptyTimeout": -1}},
        [],
        None,
        "demo",
    ],
)
async def test_what_is_no_request_for_a_token(managed_api: Api, body: object) -> None:
    status, _ = await problem(managed_api, "POST", "/apps/live/tokens", body)
    assert status in {400, 422}


async def test_links_of_an_app_with_public_playback_carry_no_token(managed_api: Api) -> None:
    app = await new_app(managed_api, playbackPolicy="public")
    answer = (await managed_api("POST", f"/apps/{app}/tokens", {"room": "demo"}, expect=201))["data"]
    assert answer["playUrl"].endswith(f"/play/{app}/{app}-demo")
    assert answer["embedUrl"].endswith(f"/embed/{app}/{app}-demo")


async def test_who_joins_is_who_the_token_says(api: Api, app: str) -> None:
    grant = {
        "name": "Ada",
        "metadata": '{"seat":1}',
        "attributes": {"hand": "down"},
        "canPublishSources": ["microphone"],
        "canPublishData": False,
        "roomConfig": {"metadata": "from the token", "maxParticipants": 7},
    }
    async with guest_in(api, app, "demo", "ada", **grant) as ada:
        assert (ada.me.identity, ada.me.name, ada.me.metadata) == ("ada", "Ada", '{"seat":1}')
        assert dict(ada.me.attributes) == {"hand": "down"}
        assert ada.room.name == f"{app}-demo"
        assert ada.room.metadata == "from the token"

        async def there() -> Any:
            status, answer, _ = await api.raw("GET", f"/apps/{app}/rooms/demo/participants/ada")
            return answer["data"] if status == 200 else None

        permissions = (await eventually(there))["permissions"]
        assert permissions["canPublishSources"] == ["microphone"]
        assert permissions["canPublish"] is True
        assert permissions["canPublishData"] is False


async def test_a_token_of_one_app_does_not_open_a_room_of_another(api: Api, app: str) -> None:
    other = await new_app(api)
    name = f"{other}-{secrets.token_hex(2)}"
    # A reference that begins with another app's slug is a short name here.
    answer = (await api("POST", f"/apps/{app}/tokens", {"room": name}, expect=201))["data"]
    assert answer["room"] == f"{app}-{name}"


@pytest.mark.parametrize(
    ("identity", "code"),
    [
        ("a" * 255 + "é", "identity_too_long"),
        ("😀" * 70, "identity_too_long"),
        ("   ", "identity_blank"),
        ("\u200b", "identity_blank"),
        ("..", "identity_unaddressable"),
        ("stagedoor:scribe", "identity_reserved"),
    ],
)
async def test_every_way_has_the_same_rule_for_identities(managed_api: Api, identity: str, code: str) -> None:
    app = await new_app(managed_api)
    wish = {"room": "demo", "identity": identity}
    assert await problem(managed_api, "POST", f"/apps/{app}/tokens", wish) == (422, code)
    announced = {"participants": [{"identity": "ada"}, {"identity": identity}]}
    assert await problem(managed_api, "POST", f"/apps/{app}/sessions", announced) == (422, code)
    assert (await managed_api("GET", f"/apps/{app}/sessions"))["data"] == [], "it was announced all the same"
    assert await problem(managed_api, "POST", f"/apps/{app}/ws-ingest", wish) == (422, code)
    camera = (await managed_api("POST", f"/apps/{app}/ws-ingest", {"room": "demo"}, expect=201))["data"]
    path = f"/apps/{app}/ws-ingest/{camera['id']}"
    assert await problem(managed_api, "PATCH", path, {"identity": identity}) == (422, code)


async def test_half_a_character_is_no_text(managed_api: Api) -> None:
    for path, body in {"tokens": {"room": "demo", "identity": "\ud800"}, "sessions": {"roomName": "\ud800"}}.items():
        assert await problem(managed_api, "POST", f"/apps/live/{path}", body) == (422, "validation_failed")


async def test_attributes_of_an_announced_session_leave_room_for_ours(managed_api: Api) -> None:
    app = await new_app(managed_api)
    attributes = {f"k{number}": "x" * 8_000 for number in range(8)} | {"last": "x" * 1_516}
    assert sum(len(name) + len(value) for name, value in attributes.items()) == 65_536
    await managed_api("POST", f"/apps/{app}/tokens", {"room": "demo", "attributes": attributes}, expect=201)
    wish = {"participants": [{"attributes": attributes}]}
    assert await problem(managed_api, "POST", f"/apps/{app}/sessions", wish) == (422, "attributes_too_large")
    attributes["last"] = "x" * (1_516 - 47)
    await managed_api("POST", f"/apps/{app}/sessions", wish, expect=201)


async def test_a_long_token_comes_with_a_warning(managed_api: Api) -> None:
    for metadata, warned in (("x" * 100, False), ("x" * 6_100, True)):
        wish = {"room": "demo", "metadata": metadata}
        answer = (await managed_api("POST", "/apps/live/tokens", wish, expect=201))["data"]
        assert (answer["warning"] is not None) is warned
    agents = [{"agentName": f"a{number}", "metadata": "m" * 60_000} for number in range(15)]
    wish = {"room": "demo", "roomConfig": {"agents": agents}}
    assert await problem(managed_api, "POST", "/apps/live/tokens", wish) == (422, "token_too_large")
    app = await new_app(managed_api)
    assert await problem(managed_api, "POST", f"/apps/{app}/sessions", {"agents": agents}) == (422, "token_too_large")
    assert (await managed_api("GET", f"/apps/{app}/sessions"))["data"] == [], "it was announced all the same"


async def test_what_is_within_the_limits_joins(managed_api: Api) -> None:
    app = await new_app(managed_api)
    attributes = {f"k{number}": "é" * 4_000 for number in range(8)} | {"last": "x" * 1_516}
    async with guest_in(managed_api, app, "demo", "😀" * 64, attributes=attributes) as ada:
        assert dict(ada.me.attributes) == attributes
    agents = [{"agentName": f"a{number}", "metadata": "m" * 60_000} for number in range(12)]
    async with guest_in(managed_api, app, "big", "ada", roomConfig={"agents": agents}) as ada:
        assert ada.me.identity == "ada"
