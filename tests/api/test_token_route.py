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

FIELDS = {"token", "app", "room", "identity", "wsUrl", "playUrl", "embedUrl", "expiresAt"}


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


async def test_an_identity_is_made_up_and_told(managed_api: Api) -> None:
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
