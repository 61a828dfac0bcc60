"""From the first link to a user who is signed in on a phone and at a desk: the account's pages in Chromium."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from stagedoor.app.firstrun import make_first, make_first_link
from stagedoor.app.http import HttpServer
from stagedoor.people import limits
from tests.support.api_routes import application
from tests.support.browser import DESKTOP, PHONE, visitor
from tests.support.ports import free_ports

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
HEADS = "Failed to load resource"  # what Chromium writes of every answer of 4xx


@pytest.fixture
async def welcome(tmp_path: Path) -> AsyncGenerator[str]:
    """The link of a first start."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with application(tmp_path, http=address) as (app, services):
        await services.database.write(make_first)
        secret = await services.database.write(make_first_link)
        server = HttpServer(services.settings)
        await server.start(app)
        yield f"http://{address}/welcome#{secret}"
        await server.stop()


async def picture(page: Page, name: str) -> None:
    """Kept for a person to look at, where the environment says so."""
    folder = os.environ.get("STAGEDOOR_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"account-{name}.png", full_page=True)


async def make_account(page: Page, link: str) -> None:
    await page.goto(link)
    await page.get_by_test_id("name").fill("Ada Lovelace")
    await page.get_by_test_id("email").fill("ada@example.com")
    await page.get_by_test_id("password").fill(PASSWORD)
    await picture(page, "welcome")
    await page.get_by_test_id("submit").click()
    await page.get_by_test_id("account").wait_for()


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    await page.get_by_test_id("email").fill("ada@example.com")
    await page.get_by_test_id("password").fill(password)
    await page.keyboard.press("Enter")


async def fits(page: Page) -> None:
    wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"the page is {wide} pixels wider than its window"


async def test_from_the_first_link_to_an_account_that_is_used(welcome: str, browser: Browser) -> None:
    home = welcome.partition("/welcome")[0]
    async with visitor(browser, DESKTOP) as ada, visitor(browser, PHONE, dark=True) as phone:
        await make_account(ada.page, welcome)
        await expect(ada.page.get_by_test_id("account")).to_contain_text("Default")
        await expect(ada.page.get_by_test_id("account")).to_contain_text("operator")

        await phone.page.goto(welcome)
        await phone.page.get_by_test_id("link-refused").wait_for()
        await picture(phone.page, "link-used")

        await phone.page.goto(f"{home}/account")
        await phone.page.wait_for_url("**/sign-in?next=%2Faccount")
        await sign_in(phone.page, "wrong horse")
        await expect(phone.page.get_by_test_id("trouble")).to_have_text("The e-mail or the password is wrong.")
        await picture(phone.page, "sign-in-refused")
        await sign_in(phone.page)
        await phone.page.get_by_test_id("account").wait_for()
        await fits(phone.page)
        await expect(phone.page.get_by_test_id("sessions").locator("li")).to_have_count(2)
        await picture(phone.page, "phone")

        await ada.page.reload()
        await ada.page.get_by_test_id("name").fill("Countess of Lovelace")
        await ada.page.get_by_test_id("zone").select_option("Europe/London")
        await ada.page.get_by_test_id("save").click()
        await expect(ada.page.get_by_role("heading", level=2)).to_have_text("Countess of Lovelace")
        await picture(ada.page, "desktop")

        await ada.page.get_by_test_id("sessions").get_by_role("button").click()
        await expect(ada.page.get_by_test_id("sessions").locator("li")).to_have_count(1)
        await phone.page.reload()
        await phone.page.wait_for_url("**/sign-in?next=%2Faccount")

        await sign_in(phone.page)
        await phone.page.get_by_test_id("account").wait_for()
        await ada.page.get_by_test_id("current-password").fill(PASSWORD)
        await ada.page.get_by_test_id("new-password").fill("another horse battery")
        await ada.page.get_by_test_id("change-password").click()
        await expect(ada.page.get_by_text("Your password is changed.")).to_be_visible()
        await phone.page.reload()
        await phone.page.wait_for_url("**/sign-in?next=%2Faccount")
        await ada.page.get_by_test_id("sign-out").click()
        await ada.page.get_by_test_id("sign-in").wait_for()
        await picture(ada.page, "sign-in")
        assert ada.without(HEADS) == phone.without(HEADS) == []


async def test_a_sign_in_leads_back_here_and_nowhere_else(welcome: str, browser: Browser) -> None:
    home = welcome.partition("/welcome")[0]
    async with visitor(browser) as ada:
        await make_account(ada.page, welcome)
        for wanted, page in (
            ("/api/v1/docs", "/api/v1/docs"),
            ("//example.org/", "/account"),
            ("javascript:0", "/account"),
        ):
            await ada.page.goto(f"{home}/sign-in?next={wanted}")
            await sign_in(ada.page)
            await ada.page.wait_for_url(f"{home}{page}")


async def test_a_token_is_made_shown_once_used_and_revoked(welcome: str, browser: Browser) -> None:
    home = welcome.partition("/welcome")[0]
    async with visitor(browser, PHONE) as ada, visitor(browser) as program:
        await make_account(ada.page, welcome)
        await ada.page.get_by_test_id("token-name").fill("laptop")
        await ada.page.get_by_label("apps:read", exact=True).check()
        await ada.page.get_by_test_id("make-token").click()
        secret = await ada.page.get_by_test_id("token-secret").text_content()
        await fits(ada.page)
        await picture(ada.page, "tokens")
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await program.page.request.get(f"{home}/api/v1/apps", headers=headers)).status == 200
        await ada.page.reload()
        await expect(ada.page.get_by_test_id("tokens")).to_contain_text("laptop")
        await expect(ada.page.get_by_test_id("tokens")).not_to_contain_text(str(secret))
        await ada.page.get_by_role("button", name="Revoke laptop").click()
        await expect(ada.page.get_by_test_id("tokens").locator("li")).to_have_count(0)
        assert (await program.page.request.get(f"{home}/api/v1/apps", headers=headers)).status == 401
        assert ada.without(HEADS) == []


async def invited(page: Page, home: str, role: str) -> str:
    """The link of a new invitation, by the user who is signed in."""
    made = await page.request.post(f"{home}/api/v1/organisations/default/invitations", data={"role": role})
    assert made.status == 201
    link: str = (await made.json())["data"]["url"]
    return link


async def test_an_invitation_is_accepted_by_a_new_user_and_by_one_with_an_account(
    welcome: str, browser: Browser
) -> None:
    home = welcome.partition("/welcome")[0]
    async with visitor(browser) as ada, visitor(browser, PHONE, dark=True) as bob:
        await make_account(ada.page, welcome)
        link = await invited(ada.page, home, "viewer")
        await bob.page.goto(link)
        await expect(bob.page.get_by_test_id("sign-up")).to_contain_text("Join Default")
        await bob.page.get_by_test_id("name").fill("Bob")
        await bob.page.get_by_test_id("email").fill("bob@example.com")
        await bob.page.get_by_test_id("password").fill(PASSWORD)
        await fits(bob.page)
        await picture(bob.page, "invitation")
        await bob.page.get_by_test_id("submit").click()
        await expect(bob.page.get_by_test_id("account")).to_contain_text("viewer")

        left = await bob.page.request.post(f"{home}/api/v1/organisations/default/leave")
        assert left.status == 204
        await bob.page.goto(await invited(ada.page, home, "member"))
        await expect(bob.page.get_by_test_id("accept")).to_contain_text("bob@example.com")
        await bob.page.get_by_test_id("submit").click()
        await expect(bob.page.get_by_test_id("account")).to_contain_text("member")

        await bob.page.get_by_test_id("sign-out").click()
        await bob.page.get_by_test_id("sign-in").wait_for()
        again = await invited(ada.page, home, "admin")
        await bob.page.goto(again)
        await bob.page.get_by_role("link", name="Sign in").click()
        await bob.page.wait_for_url("**/sign-in?next=%2Finvitation#inv_*")
        await bob.page.get_by_test_id("email").fill("bob@example.com")
        await bob.page.get_by_test_id("password").fill(PASSWORD)
        await bob.page.keyboard.press("Enter")
        await bob.page.get_by_test_id("accept").wait_for()
        await bob.page.get_by_test_id("submit").click()
        await expect(bob.page.get_by_test_id("trouble")).to_have_text("You are a member of this organisation already.")
        assert ada.without(HEADS) == bob.without(HEADS) == []


async def test_guessing_ends_in_a_wait(welcome: str, browser: Browser) -> None:
    home = welcome.partition("/welcome")[0]
    async with visitor(browser) as stranger:
        await stranger.page.goto(f"{home}/sign-in")
        trouble = stranger.page.get_by_test_id("trouble")
        for number in range(limits.OF_ACCOUNT_AT_ADDRESS + 1):
            async with stranger.page.expect_response("**/auth/sign-in"):
                await sign_in(stranger.page, f"wrong {number}")
            await expect(stranger.page.get_by_test_id("submit")).to_have_text("Sign in")
        await expect(trouble).to_have_text("Too many sign-ins failed; wait.")
