"""`/health`, `/ready`, `/metrics`."""

from __future__ import annotations

import os
import signal

import aiohttp
import pytest

from tests.support.product import Api, RunningProduct, eventually

ROOTS = ["", "/api/v1"]


@pytest.mark.parametrize("root", ROOTS, ids=["at the root", "under the prefix"])
async def test_health_and_readiness(product: RunningProduct, http: aiohttp.ClientSession, root: str) -> None:
    async with http.get(f"{product.url}{root}/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"data": {"status": "alive"}})
    async with http.get(f"{product.url}{root}/ready") as answer:
        assert (answer.status, await answer.json()) == (
            200,
            {"data": {"status": "ready", "database": "ok", "livekit": "ok", "clock": None}},
        )


async def test_metrics_count_what_happens_without_names(
    managed_product: RunningProduct, http: aiohttp.ClientSession, managed_api: Api
) -> None:
    async def metrics() -> dict[str, float]:
        async with http.get(f"{managed_product.url}/metrics") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/plain"
            lines = (await answer.text()).splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    minted = 'stagedoor_tokens_minted_total{by="api"}'
    route = 'stagedoor_http_requests_total{method="POST",route="/api/v1/apps/{app}/tokens",status="201"}'
    before = await metrics()
    await managed_api("POST", "/apps/live/tokens", {"room": "very-secret-room", "identity": "ada"}, expect=201)
    await managed_api.raw("GET", "/no/such/route/at/all")
    after = await metrics()
    assert after[minted] == before.get(minted, 0) + 1
    assert after[route] == before.get(route, 0) + 1
    assert not any("very-secret-room" in name or "/no/such" in name for name in after)
    assert after["stagedoor_livekit_up"] == 1


async def test_metrics_can_be_closed(limited_product: RunningProduct, http: aiohttp.ClientSession) -> None:
    for token, status in ((None, 401), ("wrong", 401), (limited_product.api_key, 401), ("let-me-count", 200)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with http.get(f"{limited_product.url}/metrics", headers=headers) as answer:
            assert answer.status == status


async def test_not_ready_without_livekit_and_alive_all_the_same(
    limited_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    api = Api(http, limited_product.url, limited_product.api_key)
    pid = limited_product.livekit_pid
    os.kill(pid, signal.SIGKILL)

    async def reasons() -> list[str] | None:
        status, answer, headers = await api.raw("GET", "/ready")
        if status != 503:
            return None
        assert (answer["code"], int(headers["Retry-After"]) > 0) == ("not_ready", True)
        found: list[str] = answer["reasons"]
        return found

    (reason,) = await eventually(reasons)
    assert "LiveKit" in reason
    await api("GET", "/health", expect=200)

    async def back() -> bool:
        return (await api.raw("GET", "/ready"))[0] == 200

    await eventually(back, 30)
    assert limited_product.livekit_pid != pid
