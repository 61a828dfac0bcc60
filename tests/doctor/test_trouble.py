"""doctor distinguishes one trouble from another: each is made for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from tests.doctor.support import examine, external
from tests.support.ports import free_ports
from tests.support.product import KEY, SECRET, Api, RunningProduct, eventually, running
from tests.support.receiver import receiving, status

OTHER_KEY = "APIother"
OTHER_SECRET = "the-secret-of-another-key-of-livekit"


def _signs_with_another_key(config: dict[str, Any]) -> None:
    config["keys"][OTHER_KEY] = OTHER_SECRET
    config["webhook"]["api_key"] = OTHER_KEY


def _sends_no_webhook(config: dict[str, Any]) -> None:
    del config["webhook"]


def _nothing(_: dict[str, Any]) -> None:
    pass


def test_a_webhook_signed_with_an_unknown_key(tmp_path: Path) -> None:
    with external(tmp_path, _signs_with_another_key) as product:
        code, findings = examine(product)
    assert code == 1
    assert findings["livekit-key"]["status"] == "ok"
    assert findings["webhook"]["status"] == "broken"
    assert "arrives, but it is signed with an API key that Stagedoor does not know" in findings["webhook"]["finding"]
    assert KEY in findings["webhook"]["next"]


def test_a_webhook_signed_with_another_secret(tmp_path: Path) -> None:
    wrong = f"{OTHER_KEY}:not-the-secret-that-livekit-has-for-it"
    with external(tmp_path, _signs_with_another_key, STAGEDOOR_WEBHOOK_EXTRA_KEYS=wrong) as product:
        code, findings = examine(product)
    assert code == 1
    assert "arrives, but its signature is by another secret" in findings["webhook"]["finding"]
    assert "LIVEKIT_API_SECRET" in findings["webhook"]["next"]


def test_a_webhook_that_is_not_sent(tmp_path: Path) -> None:
    with external(tmp_path, _sends_no_webhook) as product:
        code, findings = examine(product)
    assert code == 1
    assert findings["webhook"]["status"] == "broken"
    assert "No webhook arrived" in findings["webhook"]["finding"]
    assert f"api_key: {KEY}" in findings["webhook"]["next"]
    assert f"- {product.url}/webhooks/livekit" in findings["webhook"]["next"]


async def test_an_event_that_finds_no_session(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with external(tmp_path, _nothing) as product:
        assert product.external is not None
        gateway = LiveKitGateway(Endpoint(product.external.url, "", KEY, SECRET))
        try:
            await gateway.create_room("nobodys", empty_timeout=60)
        finally:
            await gateway.close()
        api = Api(http, product.url, product.api_key)

        async def arrived() -> Any:
            return (await api("GET", "/inbox?state=unclaimed"))["data"]

        await eventually(arrived)
        code, findings = examine(product)
    assert code == 0
    assert findings["webhook"]["status"] == "ok"
    assert findings["inbox"]["status"] == "warning"
    assert "found no session: no app has the rooms 'nobodys'" in findings["inbox"]["finding"]
    assert "Name rooms after their app" in findings["inbox"]["next"]


async def test_every_endpoint_that_takes_nothing_is_named_with_its_reason(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    (port,) = free_ports(1)
    async with receiving() as moved, receiving() as gone, receiving() as fine:
        moved.answer = status(308, Location="https://www.example.com/hooks")
        gone.answer = status(410)
        with running(
            tmp_path, STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS="true", STAGEDOOR_WEBHOOK_RETRY_DELAYS="1h"
        ) as product:
            api = Api(http, product.url, product.api_key)
            urls = (f"http://127.0.0.1:{port}/?key=SECRET", moved.url, gone.url, fine.url)
            made = [(await api("POST", "/apps/live/webhooks", {"url": url}, expect=201))["data"]["id"] for url in urls]
            await api("POST", "/apps/live/rooms", {"name": "demo"}, expect=201)

            async def tried() -> Any:
                unreachable, redirecting, disabled, _ = [(await api("GET", f"/webhooks/{one}"))["data"] for one in made]
                return unreachable["failingSince"] and redirecting["failingSince"] and not disabled["enabled"]

            await eventually(tried)
            code, findings = examine(product)
    assert code == 0
    assert (findings["endpoints"]["status"], findings["jobs"]["status"]) == ("warning", "warning")
    told = findings["endpoints"]["finding"]
    unreachable, redirecting, disabled, delivered = made
    assert f"{disabled} ({gone.url.split('/')[2]}) was disabled: It answered 410 Gone." in told
    assert f"{unreachable} (127.0.0.1:{port}) has taken nothing since" in told
    assert f"{redirecting} ({moved.url.split('/')[2]}) has taken nothing since" in told
    assert "Connection refused" in told
    assert "redirects to https://www.example.com/hooks; use that address" in told
    assert delivered not in told
    assert "SECRET" not in told
    assert f"`stagedoor webhooks test {disabled}`" in findings["endpoints"]["next"]
    assert "`stagedoor webhooks deliveries WEBHOOK`" in findings["endpoints"]["next"]
    assert "given up (webhook.deliver)" in findings["jobs"]["finding"]
    assert "stagedoor jobs retry" in findings["jobs"]["next"]


def test_a_livekit_that_went_away(tmp_path: Path) -> None:
    with external(tmp_path, _nothing) as product:
        assert product.external is not None
        product.external.kill()
        code, findings = examine(product)
    assert code == 1
    assert findings["stagedoor"]["status"] == "broken"
    assert findings["livekit"]["status"] == "broken"
    assert "does not answer" in findings["livekit"]["finding"]
    assert findings["database"]["status"] == "ok"
    later = ("livekit-key", "clock", "webhook", "udp", "tcp")
    assert {findings[check]["status"] for check in later} == {"skipped"}
    assert {findings[check]["next"] for check in later} == {"Fix `livekit` first."}


def test_a_page_over_https_with_a_livekit_without(tmp_path: Path) -> None:
    https, ws = "https://calls.example.com", "ws://calls.example.com:7880"
    with running(tmp_path, STAGEDOOR_PUBLIC_URL=https, STAGEDOOR_LIVEKIT_PUBLIC_URL=ws) as product:
        code, findings = examine(product)
    assert code == 1
    assert findings["browsers"]["status"] == "broken"
    assert "wss://calls.example.com" in findings["browsers"]["next"]


def test_a_livekit_left_behind_by_a_killed_stagedoor(tmp_path: Path) -> None:
    """It is ours and will be taken over, so its ports are no conflict."""
    product = RunningProduct(tmp_path)
    try:
        product.start()
        product.kill()
        code, findings = examine(product)
        assert findings["stagedoor"]["status"] == "skipped"
        assert findings["livekit"]["status"] == "ok"
        assert findings["ports"]["finding"].count("livekit-server") == 3
        assert findings["udp"]["status"] == "ok"
        assert code == 0
        product.start()
    finally:
        product.close()
