"""A room is private unless its app says otherwise, and every refusal is the same page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import moves, visitor
from tests.support.product import Api, RunningProduct, eventually
from tests.system.e2e.places import brief_room, meet_link, token

pytestmark = pytest.mark.slow

NOT_FOUND = r"status of 404"
"""Chromium itself says so of each page that answers 404."""


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


@pytest.fixture
async def refused(managed_api: Api, managed_product: RunningProduct, http: aiohttp.ClientSession) -> list[str]:
    """Addresses that lead nowhere, each for another reason; the last one expired while we looked."""
    other = token_of((await token(managed_api, "other"))["playUrl"])
    here = token_of((await token(managed_api, "private"))["playUrl"])
    taking_part = token_of(await meet_link(managed_api, "private"))
    expiring = (await token(managed_api, "private", ttl="1s"))["playUrl"]
    no_subscriber = (await token(managed_api, "private", canSubscribe=False))["token"]

    async def expired() -> bool:
        async with http.get(expiring) as answer:
            return answer.status == 404

    await eventually(expired)
    play, embed, meet = (f"{managed_product.url}/{page}/live/live-private" for page in ("play", "embed", "meet"))
    return [
        play,
        embed,
        meet,
        f"{play}?token={other}",
        f"{embed}?token={other}",
        f"{play}?token=not-a-token",
        f"{play}?token={no_subscriber}",
        f"{meet}?token={here}",
        f"{managed_product.url}/play/nobody/nobody-private?token={here}",
        f"{managed_product.url}/meet/nobody/nobody-private?token={taking_part}",
        f"{managed_product.url}/play/live/other-app?token={here}",
        expiring,
    ]


async def test_every_refusal_is_the_same_page(http: aiohttp.ClientSession, refused: list[str]) -> None:
    answers: set[tuple[int, bytes, tuple[tuple[str, str], ...]]] = set()
    for url in refused:
        async with http.get(url) as answer:
            headers = sorted((name.lower(), value) for name, value in answer.headers.items())
            told = tuple((name, value) for name, value in headers if name not in {"date", "x-request-id"})
            answers.add((answer.status, await answer.read(), told))
    assert len(answers) == 1, answers
    status, body, _ = answers.pop()
    assert status == 404
    assert b"private" not in body.lower().replace(b"closed or private", b"")


async def test_a_refused_page_joins_no_room(http: aiohttp.ClientSession, refused: list[str]) -> None:
    for url in refused:
        page, _, query = url.partition("?")
        async with http.post(f"{page}/join?{query}", json={}) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (404, "no_such_page"), url


async def test_a_refusal_is_a_page_for_people(browser: Browser, refused: list[str]) -> None:
    async with visitor(browser) as person:
        answer = await person.page.goto(refused[-1])
        assert answer is not None
        assert answer.status == 404
        await expect(person.page.get_by_role("heading")).to_be_visible()
        await expect(person.page.locator("script:not([type='application/json'])")).to_have_count(0)
        assert person.without(NOT_FOUND) == []


async def test_the_room_of_a_public_app_needs_no_token(
    managed_api: Api, managed_product: RunningProduct, browser: Browser
) -> None:
    await managed_api("POST", "/apps", {"slug": "open", "settings": {"playbackPolicy": "public"}}, expect=201)
    await brief_room(managed_api, "stage", "open")
    async with visitor(browser) as ada, visitor(browser) as anybody:
        access = await token(managed_api, "stage", "open")
        assert access["playUrl"] == f"{managed_product.url}/play/open/open-stage"
        await ada.meet(await meet_link(managed_api, "stage", "open"), "Ada")
        await anybody.page.goto(access["playUrl"])
        await moves(anybody.page.get_by_test_id("stage-video"))
        await anybody.page.goto(f"{managed_product.url}/embed/open/stage")
        await moves(anybody.page.get_by_test_id("stage-video"))
        assert (ada.complaints, anybody.complaints) == ([], [])
        await anybody.page.goto(f"{managed_product.url}/meet/open/open-stage")
        await expect(anybody.page.get_by_test_id("prejoin-join")).to_have_count(0)
        assert anybody.without(NOT_FOUND) == []
    await managed_api("DELETE", "/apps/open?force=true", expect=204)
