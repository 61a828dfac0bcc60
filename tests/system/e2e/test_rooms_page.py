"""A member signs in on a phone, sees the rooms that are open to members, and joins one under the own name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.api_tenant import fresh, new_tenant
from tests.support.browser import DESKTOP, PHONE, visitor
from tests.support.browser_session import PASSWORD, new_browser, use_link
from tests.support.product import Api, RunningProduct, eventually

pytestmark = pytest.mark.slow


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("STAGEDOOR_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"rooms-{name}.png", full_page=True)


async def test_a_member_joins_a_room_from_the_page(
    managed_product: RunningProduct, managed_api: Api, browser: Browser
) -> None:
    tenant = await new_tenant(managed_api)
    rooms = f"/apps/{tenant.app}/rooms"
    for name in ("standup", "board"):
        await tenant.api("POST", rooms, {"name": name}, expect=201)
    await tenant.api("PUT", f"{rooms}/board/access", {"level": "invited"})
    email = f"{fresh('ada')}@example.com"
    body = {"email": email, "name": "Ada Lovelace", "organisation": tenant.organisation, "role": "member"}
    made = (await managed_api("POST", "/users", body, expect=201))["data"]
    async with new_browser(managed_product.url) as first:
        await use_link(first, made["url"])
    for name, size, dark in (("phone", PHONE, True), ("desktop", DESKTOP, False)):
        async with visitor(browser, size, dark=dark) as ada:
            await ada.page.goto(f"{managed_product.url}/rooms")
            await ada.page.get_by_test_id("email").fill(email)
            await ada.page.get_by_test_id("password").fill(PASSWORD)
            await ada.page.keyboard.press("Enter")
            await expect(ada.page.get_by_test_id("rooms")).to_contain_text("standup")
            await expect(ada.page.get_by_test_id("rooms")).not_to_contain_text("board")
            await picture(ada.page, name)
            assert await ada.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
            await ada.page.get_by_role("button", name="Join standup").click()
            await ada.page.wait_for_url("**/meet/**")
            await ada.page.get_by_role("button", name="Join", exact=True).click()

            async def there() -> bool:
                people = (await tenant.api("GET", f"{rooms}/standup/participants"))["data"]
                return [(one["identity"], one["name"]) for one in people] == [(made["id"], "Ada Lovelace")]

            await eventually(there)
        await eventually(lambda: left(tenant.api, rooms))


async def left(api: Api, rooms: str) -> bool:
    return (await api("GET", f"{rooms}/standup/participants"))["data"] == []
