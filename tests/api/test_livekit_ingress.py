"""Ingresses of LiveKit's Ingress service: a real LiveKit with a real Redis, whose API answers without the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import aiohttp
import pytest
from livekit.protocol.ingress import DeleteIngressRequest, ListIngressRequest

from tests.support.api_tenant import new_app, problem
from tests.support.api_webhook import Sender, event_id
from tests.support.product import Api, ExternalLiveKit, RunningProduct, eventually
from tests.support.redis import running_redis


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    """Stagedoor beside a LiveKit of a cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    with running_redis() as redis:
        made = RunningProduct(folder, "external")
        about = {"address": f"127.0.0.1:{redis.port}", "password": "secret"}
        ingress = {"rtmp_base_url": "rtmp://ingress.example.com/x", "whip_base_url": "https://ingress.example.com/w"}
        made.external = ExternalLiveKit(folder, made.webhook_url, {"redis": about, "ingress": ingress})
        try:
            made.start()
            yield made
        finally:
            made.close()


@pytest.fixture
async def cluster(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


@pytest.fixture
async def service(product: RunningProduct) -> AsyncGenerator[Any]:
    """LiveKit's own client, to see what the service has."""
    async with product.livekit() as client:
        yield client.ingress


async def listed(service: Any) -> dict[str, Any]:
    found = await service.list_ingress(ListIngressRequest())
    return {one.ingress_id: one for one in found.items}


async def created(api: Api, app: str, **body: Any) -> dict[str, Any]:
    answer = await api("POST", f"/apps/{app}/ingress", {"room": "stage", "inputType": "rtmp", **body}, expect=201)
    made: dict[str, Any] = answer["data"]
    return made


async def test_the_same_calls_drive_the_service(cluster: Api, service: Any) -> None:
    app = await new_app(cluster, engine="livekit")
    made = await created(cluster, app, participantIdentity="obs", participantName="Main stage", transcoding="always")
    assert (made["engine"], made["url"]) == ("livekit", "rtmp://ingress.example.com/x")
    there = (await listed(service))[made["livekitIngressId"]]
    assert there.stream_key == made["streamKey"]
    assert (there.room_name, there.participant_identity) == (f"{app}-stage", "obs")
    assert (there.participant_name, there.enable_transcoding, there.enabled) == ("Main stage", True, True)

    path = f"/apps/{app}/ingress/{made['ingressId']}"
    changed = (await cluster("PATCH", path, {"participantName": "Hall", "room": "hall", "enabled": False}))["data"]
    assert (changed["participantName"], changed["roomName"], changed["enabled"]) == ("Hall", f"{app}-hall", False)
    there = (await listed(service))[made["livekitIngressId"]]
    assert (there.participant_name, there.room_name, there.enabled) == ("Hall", f"{app}-hall", False)

    renewed = (await cluster("POST", f"{path}/rotate"))["data"]
    assert renewed["streamKey"] != made["streamKey"]
    assert renewed["ingressId"] == made["ingressId"]
    now = await listed(service)
    assert made["livekitIngressId"] not in now, "the old key opens nothing"
    assert now[renewed["livekitIngressId"]].stream_key == renewed["streamKey"]
    assert "streamKey" not in (await cluster("GET", path))["data"]

    await cluster("DELETE", path, expect=204)
    assert renewed["livekitIngressId"] not in await listed(service)
    assert await problem(cluster, "GET", path) == (404, "ingress_not_found")


async def test_whip_and_urls_of_the_service(cluster: Api, service: Any) -> None:
    app = await new_app(cluster, engine="livekit")
    whip = await created(cluster, app, inputType="whip")
    assert whip["url"] == "https://ingress.example.com/w"
    url = "https://viewer:hunter2@cdn.example.com/live.m3u8"
    # A URL is pulled by the service alone, which does not run here; what is pushed waits for it.
    body = {"room": "stage", "inputType": "url", "url": url}
    assert await problem(cluster, "POST", f"/apps/{app}/ingress", body) == (503, "livekit_ingress_not_running")
    body = {"room": "stage", "inputType": "url", "url": "rtsp://camera/1"}
    assert await problem(cluster, "POST", f"/apps/{app}/ingress", body) == (422, "unknown_scheme")
    listed_here = (await cluster("GET", f"/apps/{app}/ingress"))["data"]
    assert len(listed_here) == 1, "what the service refused is not stored"

    await cluster("DELETE", f"/apps/{app}", expect=204)
    assert whip["livekitIngressId"] not in await listed(service)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"inputType": "url", "url": "https://cdn.example.com/live.m3u8", "start": "demand"}, "start_not_supported"),
        ({"inputType": "url", "url": "https://cdn.example.com/a.mp4", "enabled": False}, "disabling_not_supported"),
        ({"inputType": "rtmp", "transcoding": "never"}, "transcoding_not_supported"),
        ({"inputType": "rtmp", "layers": "ladder"}, "layers_not_supported"),
    ],
)
async def test_what_the_service_cannot_do_is_refused_by_its_name(cluster: Api, body: dict[str, Any], code: str) -> None:
    app = await new_app(cluster, engine="livekit")
    assert await problem(cluster, "POST", f"/apps/{app}/ingress", {"room": "stage", **body}) == (422, code)
    if body["inputType"] == "rtmp":
        made = await created(cluster, app)
        del body["inputType"]
        assert await problem(cluster, "PATCH", f"/apps/{app}/ingress/{made['ingressId']}", body) == (422, code)


async def test_livekits_events_are_the_state(
    cluster: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await new_app(cluster, engine="livekit")
    made = await created(cluster, app)
    send = Sender(http, product)

    async def event(name: str, **state: Any) -> None:
        about = {
            "ingressId": made["livekitIngressId"],
            "roomName": made["roomName"],
            "participantIdentity": made["participantIdentity"],
            "state": state,
        }
        body = {"event": name, "id": event_id(), "createdAt": "1767225600", "ingressInfo": about}
        assert await send(body) == 200

    async def becomes(status: str) -> dict[str, Any]:
        async def so() -> Any:
            (found,) = (await cluster("GET", f"/apps/{app}/ingress"))["data"]
            return found["state"] if found["state"]["status"] == status else None

        return await eventually(so)

    await event("ingress_started", status="ENDPOINT_PUBLISHING")
    assert (await becomes("publishing"))["startedAt"] is not None
    await event("ingress_ended", status="ENDPOINT_ERROR", error="no decoder for this stream")
    failed = await becomes("error")
    assert failed["error"] == {"code": "livekit_ingress_failed", "message": "no decoder for this stream"}
    await event("ingress_started", status="ENDPOINT_PUBLISHING")
    await becomes("publishing")
    await event("ingress_ended", status="ENDPOINT_INACTIVE")
    assert (await becomes("inactive"))["error"] is None


async def test_one_that_was_deleted_in_the_service_shows_it(cluster: Api, service: Any) -> None:
    app = await new_app(cluster, engine="livekit")
    made = await created(cluster, app)
    path = f"/apps/{app}/ingress/{made['ingressId']}"
    assert (await cluster("GET", path))["data"]["state"]["status"] == "inactive"
    await service.delete_ingress(DeleteIngressRequest(ingress_id=made["livekitIngressId"]))
    assert (await cluster("GET", path))["data"]["state"]["error"]["code"] == "livekit_ingress_lost"
    await cluster("DELETE", path, expect=204)


async def test_without_redis_the_answer_says_what_is_missing(managed_api: Api) -> None:
    app = await new_app(managed_api, engine="livekit")
    body = {"room": "stage", "inputType": "rtmp"}
    assert await problem(managed_api, "POST", f"/apps/{app}/ingress", body) == (409, "livekit_ingress_missing")
    assert (await managed_api("GET", f"/apps/{app}/ingress"))["data"] == []
    await managed_api("PATCH", f"/apps/{app}", {"settings": {"engine": "embedded"}})
    await managed_api("POST", f"/apps/{app}/ingress", body, expect=201)
