"""An owner invites, gives roles and removes in the browser; who may less sees less."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.api_participant import joined
from tests.support.api_tenant import Tenant, fresh, new_tenant
from tests.support.browser import PHONE, Visitor, visitor
from tests.support.browser_session import PASSWORD, secret_of
from tests.support.product import Api, RunningProduct

pytestmark = pytest.mark.slow

HEADS = "Failed to load resource"  # what Chromium writes of every answer of 4xx
LOOKS = [
    (f"{size[0]}-{'dark' if dark else 'light'}", size, dark)
    for size in ((1280, 720), (320, 568))
    for dark in (False, True)
]


class Place:
    """A tenant whose members come with a browser."""

    def __init__(self, product: RunningProduct, operator: Api, tenant: Tenant, browser: Browser) -> None:
        self.url = product.url
        self.tenant = tenant
        self._operator = operator
        self._browser = browser

    @asynccontextmanager
    async def member(self, name: str, role: str, size: tuple[int, int] = (1280, 720)) -> AsyncGenerator[Visitor]:
        """A new member who is signed in, on the page of members."""
        body = {"email": f"{fresh('user')}@example.com", "name": name, "role": role}
        made = await self._operator("POST", "/users", body | {"organisation": self.tenant.organisation}, expect=201)
        async with visitor(self._browser, size) as person:
            use = {"secret": secret_of(made["data"]["url"]), "password": PASSWORD}
            assert (await person.page.request.post(f"{self.url}/api/v1/auth/links/use", data=use)).ok
            await person.page.goto(f"{self.url}/members")
            await person.page.get_by_test_id("members-page").wait_for()
            yield person


@pytest.fixture
async def place(managed_product: RunningProduct, managed_api: Api, browser: Browser) -> Place:
    return Place(managed_product, managed_api, await new_tenant(managed_api), browser)


async def fits(page: Page) -> None:
    wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"the page is {wide} pixels wider than its window"


async def picture(page: Page, name: str) -> None:
    """Kept for a person to look at, where the environment says so."""
    folder = os.environ.get("STAGEDOOR_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"members-{name}.png", full_page=True)


async def test_a_link_is_made_accepted_and_another_is_taken_back(place: Place, browser: Browser) -> None:
    async with place.member("Ada Lovelace", "owner") as ada, visitor(browser, PHONE) as grace:
        waiting = ada.page.get_by_test_id("invitations")
        await expect(waiting).to_have_text("No invitation waits.")
        await ada.page.get_by_role("combobox", name="Role", exact=True).select_option("viewer")
        await ada.page.get_by_test_id("invite").click()
        link = str(await ada.page.get_by_test_id("invite-link").text_content())
        await expect(waiting.locator("li")).to_have_count(1)

        await ada.page.get_by_test_id("invite-email").fill("mary@example.com")
        await ada.page.get_by_test_id("invite").click()
        await expect(waiting.locator("li")).to_have_count(2)
        other = str(await ada.page.get_by_test_id("invite-link").text_content())
        assert other != link
        await ada.page.get_by_role("button", name="Take back the invitation of mary@example.com").click()
        await expect(ada.page.get_by_test_id("invitation-done")).to_contain_text("taken back")
        await expect(ada.page.get_by_role("heading", name="Invitations")).to_be_focused()
        await expect(waiting.locator("li")).to_have_count(1)
        await grace.page.goto(other)
        await grace.page.get_by_test_id("link-refused").wait_for()

        await grace.page.goto(link)
        await grace.page.reload()  # the address differs behind the # alone
        await grace.page.get_by_test_id("name").fill("Grace Hopper")
        await grace.page.get_by_test_id("email").fill(f"{fresh('grace')}@example.com")
        await grace.page.get_by_test_id("password").fill(PASSWORD)
        await grace.page.get_by_test_id("submit").click()
        await expect(grace.page.get_by_test_id("account")).to_contain_text("viewer")

        await ada.page.reload()
        await expect(ada.page.get_by_test_id("members")).to_contain_text("Grace Hopper")
        await expect(waiting).to_have_text("No invitation waits.")
        assert ada.without() == grace.without(HEADS) == []


async def test_a_role_is_changed_and_a_member_removed_by_keyboard(place: Place) -> None:
    tenant = place.tenant
    async with place.member("Grace Hopper", "member") as grace, place.member("Ada Lovelace", "owner") as ada:
        keys, rows = ada.page.keyboard, ada.page.get_by_test_id("members").locator("li")
        await expect(rows).to_have_count(2)
        role = ada.page.get_by_role("combobox", name="Role of Grace Hopper", exact=True)
        await role.focus()
        await keys.press("ArrowUp")  # from member to admin
        await keys.press("Tab")
        await expect(ada.page.get_by_role("button", name="Save role of Grace Hopper")).to_be_focused()
        await keys.press("Enter")
        await expect(ada.page.get_by_test_id("member-done")).to_have_text("Grace Hopper is admin now.")
        await expect(role).to_be_focused()
        await ada.page.reload()
        await expect(role).to_have_value("admin")
        await grace.page.reload()
        await grace.page.get_by_test_id("invite-form").wait_for()

        room = f"{place.url}/api/v1/apps/{tenant.app}/rooms/demo/join"
        seat = (await (await grace.page.request.post(room, data={})).json())["data"]
        remove = ada.page.get_by_role("button", name="Remove Grace Hopper")
        async with joined(seat) as there:
            await remove.focus()
            await keys.press("Enter")
            await expect(ada.page.get_by_role("dialog", name="Remove Grace Hopper?")).to_be_visible()
            await expect(ada.page.get_by_role("button", name="Cancel")).to_be_focused()
            await keys.press("Escape")
            await expect(ada.page.get_by_role("dialog")).to_have_count(0)
            await expect(remove).to_be_focused()
            await keys.press("Enter")
            await keys.press("Tab")
            await keys.press("Enter")
            await expect(rows).to_have_count(1)
            await expect(ada.page.get_by_test_id("member-done")).to_have_text("Grace Hopper is removed.")
            await expect(ada.page.get_by_role("heading", name="Members", level=3)).to_be_focused()
            await asyncio.wait_for(there.gone, 30)
        await grace.page.reload()
        await expect(grace.page.get_by_test_id("members-page")).to_contain_text("You belong to no organisation yet.")
        assert ada.without() == grace.without() == []


async def test_who_may_less_sees_less(place: Place) -> None:
    async with place.member("Ada Lovelace", "owner") as ada:
        await expect(ada.page.get_by_test_id("members").get_by_role("button")).to_have_count(0)
        await expect(ada.page.get_by_test_id("members")).to_contain_text("Ada Lovelace (you)")
        async with place.member("Grace Hopper", "admin") as grace:
            await expect(grace.page.get_by_test_id("members").locator("li")).to_have_count(2)
            await expect(grace.page.get_by_test_id("members").get_by_role("button")).to_have_count(0)
            roles = grace.page.get_by_role("combobox", name="Role", exact=True).locator("option")
            assert [text.partition(":")[0] for text in await roles.all_text_contents()] == ["admin", "member", "viewer"]
        async with place.member("Mary Jackson", "member") as mary:
            await expect(mary.page.get_by_test_id("members").locator("li")).to_have_count(3)
            await expect(mary.page.get_by_test_id("members-page").get_by_role("button")).to_have_count(0)
        async with place.member("Katherine Johnson", "viewer") as katherine:
            await expect(katherine.page.get_by_test_id("members-page")).to_contain_text("does not see its members")
            assert katherine.without() == []


async def test_a_refusal_is_shown_and_changes_nothing(place: Place) -> None:
    async with place.member("Grace Hopper", "member"), place.member("Ada Lovelace", "owner") as ada:
        found = (await place.tenant.api("GET", f"/organisations/{place.tenant.organisation}/members"))["data"]
        grace = next(one["id"] for one in found if one["name"] == "Grace Hopper")
        await ada.page.get_by_role("button", name="Remove Grace Hopper").wait_for()
        await place.tenant.api("DELETE", f"/organisations/{place.tenant.organisation}/members/{grace}", expect=204)
        await ada.page.get_by_role("combobox", name="Role of Grace Hopper", exact=True).select_option("admin")
        await ada.page.get_by_role("button", name="Save role of Grace Hopper").click()
        await expect(ada.page.get_by_role("alert").filter(visible=True)).to_have_text("There is no such member.")
        assert ada.without(HEADS) == []


async def test_it_fits_every_window(place: Place, browser: Browser) -> None:
    async with place.member("Grace Hopper of the Navy, Rear Admiral", "member"), place.member("Ada", "owner") as ada:
        cookies = await ada.context.cookies()
        for look, size, dark in LOOKS:
            async with visitor(browser, size, dark=dark) as person:
                page = person.page
                await person.context.add_cookies([{**cookie} for cookie in cookies])  # pyright: ignore[reportArgumentType]
                await page.goto(f"{place.url}/members")
                await page.get_by_role("combobox", name="Role of Grace").select_option("viewer")
                await page.get_by_test_id("invite").click()
                await page.get_by_test_id("invite-link").wait_for()
                await fits(page)
                await picture(page, look)
                await page.get_by_role("button", name="Remove Grace").click()
                await page.get_by_role("dialog").wait_for()
                await fits(page)
                await picture(page, f"remove-{look}")
