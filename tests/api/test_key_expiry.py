"""What a key that expires gives out ends with the key: tokens, links, addresses, and what a page makes of them."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.support.api_tenant import Tenant, new_key
from tests.support.product import Api, RunningProduct

SCOPES = ["tokens:write", "sessions:write", "cameras:write", "cameras:read", "rooms:read"]


def expiry(token: str) -> datetime:
    """When a JWT ends."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return datetime.fromtimestamp(claims["exp"], UTC)


def token_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


@pytest.fixture
async def short(tenant: Tenant) -> tuple[Api, datetime]:
    """The contract with a key that expires in ten minutes, and when that is."""
    ends = datetime.now(UTC) + timedelta(minutes=10)
    body = {"name": "short", "scopes": SCOPES, "expiresAt": ends.isoformat()}
    made = (await tenant.api("POST", "/keys", body, expect=201))["data"]
    return tenant.api.as_key(made["key"]), datetime.fromisoformat(made["expiresAt"])


@pytest.mark.parametrize("ttl", [{}, {"ttl": "2h"}])
async def test_join_tokens_end_with_the_key(tenant: Tenant, short: tuple[Api, datetime], ttl: dict[str, str]) -> None:
    api, ends = short
    asked = {"room": "demo", "identity": "ada", **ttl}
    answer = (await api("POST", f"/apps/{tenant.app}/tokens", asked, expect=201))["data"]
    for token in (answer["token"], token_in(answer["playUrl"]), token_in(answer["embedUrl"])):
        assert datetime.now(UTC) < expiry(token) <= ends
    assert datetime.fromisoformat(answer["expiresAt"]) <= ends


async def test_a_shorter_life_is_kept(tenant: Tenant, short: tuple[Api, datetime]) -> None:
    api, ends = short
    body = {"room": "demo", "identity": "ada", "ttl": "1m"}
    answer = (await api("POST", f"/apps/{tenant.app}/tokens", body, expect=201))["data"]
    assert expiry(answer["token"]) < ends - timedelta(minutes=8)


@pytest.mark.parametrize("page", ["play", "meet", "publish", "mjpeg", "frame", "ws"])
async def test_links_end_with_the_key(tenant: Tenant, short: tuple[Api, datetime], page: str) -> None:
    api, ends = short
    body = {"page": page, "ttl": "2h"}
    answer = (await api("POST", f"/apps/{tenant.app}/rooms/demo/links", body, expect=201))["data"]
    assert expiry(token_in(answer["url"])) <= ends
    assert datetime.fromisoformat(answer["expiresAt"]) <= ends


async def test_tokens_of_an_announced_session_end_with_the_key(tenant: Tenant, short: tuple[Api, datetime]) -> None:
    api, ends = short
    body = {"participants": [{"identity": "ada", "ttl": "2h"}, {"identity": "bob"}]}
    answer = (await api("POST", f"/apps/{tenant.app}/sessions", body, expect=201))["data"]
    for given in answer["tokens"]:
        assert expiry(given["token"]) <= ends
        assert expiry(token_in(given["playUrl"])) <= ends
        assert datetime.fromisoformat(given["expiresAt"]) <= ends


async def test_addresses_of_a_camera_end_with_the_key(tenant: Tenant, short: tuple[Api, datetime]) -> None:
    api, ends = short
    path = f"/apps/{tenant.app}/ws-ingest"
    made = (await api("POST", path, {"room": "door", "ttl": "2h"}, expect=201))["data"]
    read = (await api("GET", f"{path}/{made['id']}?ttl=2h"))["data"]
    rotated = (await api("POST", f"{path}/{made['id']}/rotate"))["data"]
    for camera in (made, read, rotated):
        assert datetime.fromisoformat(camera["expiresAt"]) <= ends
        for address in ("viewerWsUrl", "mjpegUrl", "frameUrl", "playUrl", "embedUrl"):
            assert expiry(token_in(camera[address])) <= ends


async def test_what_a_page_joins_with_ends_with_its_link(tenant: Tenant, http: aiohttp.ClientSession) -> None:
    body = {"page": "meet", "ttl": "1m"}
    link = (await tenant.api("POST", f"/apps/{tenant.app}/rooms/demo/links", body, expect=201))["data"]
    page, _, query = link["url"].partition("?")
    async with http.post(f"{page}/join?{query}", json={}) as answer:
        assert answer.status == 200, await answer.text()
        joined: Any = (await answer.json())["data"]
    assert expiry(joined["token"]) <= datetime.fromisoformat(link["expiresAt"])


async def test_a_page_opened_with_a_key_gets_a_token_that_ends_with_it(
    tenant: Tenant, managed_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=10)
    key = await new_key(tenant.api, "rooms:read", expiresAt=ends.isoformat())
    page = f"{managed_product.url}/play/{tenant.app}/demo"
    async with http.get(page, headers={"Authorization": f"Bearer {key}"}) as answer:
        assert answer.status == 200
        text = await answer.text()
    found = re.search(r'"liveUrl":"([^"]+)"', text)
    assert found is not None
    assert expiry(token_in(found[1])) <= ends
