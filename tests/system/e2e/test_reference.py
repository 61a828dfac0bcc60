"""The API reference shows the real OpenAPI document, whole, and under the strict policy."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import DESKTOP, PHONE, visitor
from tests.support.product import RunningProduct

pytestmark = pytest.mark.slow

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_every_operation_is_in_the_reference(
    managed_product: RunningProduct, http: aiohttp.ClientSession, browser: Browser, size: tuple[int, int]
) -> None:
    async with http.get(f"{managed_product.url}/api/v1/openapi.json") as answer:
        document: dict[str, Any] = await answer.json()
    operations = [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods if method in METHODS
    ]
    assert len(operations) > 30
    async with visitor(browser, size) as reader:
        await reader.page.goto(f"{managed_product.url}/api/v1/docs")
        await expect(reader.page.locator(".opblock")).to_have_count(len(operations))
        await expect(reader.page.locator(".errors-wrapper")).to_have_count(0)
        mint = reader.page.locator(".opblock", has_text="Mint a join token")
        await mint.locator(".opblock-summary-control").click()
        await expect(mint).to_contain_text("canPublishSources")
        await expect(mint).to_contain_text("never ship an API key")
        wide = await reader.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, f"the page is {wide} pixels wider than its window"
        assert reader.complaints == []


async def test_a_call_can_be_tried_in_the_reference(managed_product: RunningProduct, browser: Browser) -> None:
    async with visitor(browser) as reader:
        page = reader.page
        await page.goto(f"{managed_product.url}/api/v1/docs")
        await page.locator(".btn.authorize").first.click()
        by_key = page.locator(".auth-container", has=page.locator("#auth-bearer-value"))
        await by_key.locator("input").fill(managed_product.api_key)
        await by_key.locator(".auth-btn-wrapper .authorize").click()
        await page.locator(".auth-btn-wrapper .btn-done").first.click()
        call = page.locator(".opblock", has_text="List apps")
        await call.locator(".opblock-summary-control").click()
        await call.get_by_role("button", name="Try it out").click()
        await call.get_by_role("button", name="Execute").click()
        answer = call.locator(".live-responses-table")
        await expect(answer.locator(".response-col_status").last).to_contain_text("200")
        await expect(answer).to_contain_text('"slug": "live"')
        assert managed_product.api_key not in await page.evaluate(
            "JSON.stringify({ ...localStorage, ...sessionStorage })"
        )
        assert reader.complaints == []
