"""The publish page: a browser sends its camera, and viewers see it move."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import PHONE, moves, scrolls, visitor
from tests.support.product import Api, eventually
from tests.system.e2e.places import page_link, token

pytestmark = pytest.mark.slow


async def publisher_of(api: Api, room: str) -> dict[str, Any] | None:
    """The participant of the publish page, with its tracks; none when it is not in the room."""
    status, answer, _ = await api.raw("GET", f"/apps/live/rooms/{room}/participants")
    found: list[dict[str, Any]] = answer["data"] if status == 200 else []
    return next((one for one in found if one["identity"].startswith("publisher-")), None)


async def publishes(api: Api, room: str, source: str) -> bool:
    """Whether the publish page's participant has a track of this source."""
    found = await publisher_of(api, room)
    return found is not None and any(track["source"] == source for track in found["tracks"])


async def test_a_phone_publishes_and_a_viewer_sees_it_until_it_stops(api: Api, browser: Browser) -> None:
    async with visitor(browser, PHONE) as phone, visitor(browser) as viewer:
        await viewer.page.goto((await token(api, "stage"))["playUrl"])
        await phone.page.goto(await page_link(api, "stage", "publish"))
        await phone.page.get_by_test_id("prejoin-name").fill("Mary")
        await phone.page.get_by_test_id("prejoin-join").click()
        await phone.page.locator('[data-testid="on-air"][data-state="connected"]').wait_for()
        await moves(phone.page.get_by_test_id("own-picture"))
        await moves(viewer.page.get_by_test_id("stage-video").first)

        published = await eventually(lambda: publisher_of(api, "stage"))
        assert published["name"] == "Mary"
        # A phone that sends receives nothing, which costs its line and its battery.
        assert published["permissions"]["canSubscribe"] is False

        await phone.page.get_by_test_id("toggle-screen").click()
        await eventually(lambda: publishes(api, "stage", "screen_share"))
        await phone.page.get_by_test_id("toggle-screen").click()

        await phone.page.get_by_test_id("stop").click()
        await phone.page.locator('[data-testid="left-page"][data-ending="left"]').wait_for()

        async def gone() -> bool:
            return await publisher_of(api, "stage") is None

        await eventually(gone)
        assert not phone.complaints


async def test_what_was_muted_stays_muted_when_it_goes_live_again(api: Api, browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.page.goto(await page_link(api, "again", "publish"))
        await person.page.get_by_test_id("prejoin-name").fill("Mary")
        await person.page.get_by_test_id("prejoin-microphone").click()
        await person.page.get_by_test_id("prejoin-join").click()
        for again in (False, True):
            if again:
                await person.page.get_by_test_id("rejoin").click()
            await moves(person.page.get_by_test_id("own-picture"))
            assert await person.page.get_by_test_id("toggle-microphone").get_attribute("data-on") == "false"
            await person.page.get_by_test_id("stop").click()
            await person.page.get_by_test_id("left-page").wait_for()


async def test_live_is_what_is_sent(api: Api, browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.page.goto(await page_link(api, "sent", "publish"))
        await person.page.get_by_test_id("prejoin-name").fill("Mary")
        await person.page.get_by_test_id("prejoin-join").click()
        on_air = person.page.get_by_test_id("on-air")
        await expect(on_air).to_contain_text("Live")
        await person.page.get_by_test_id("toggle-camera").click()
        await expect(on_air).to_contain_text("Sound only")
        await person.page.get_by_test_id("toggle-microphone").click()
        await expect(on_air).to_have_text("Nothing is sent")
        await person.page.get_by_test_id("toggle-camera").click()
        await expect(on_air).to_contain_text("Live")
        assert not person.complaints


async def test_a_small_phone_shows_all_and_the_button_says_what_it_waits_for(api: Api, browser: Browser) -> None:
    async with visitor(browser, (320, 568)) as phone:
        await phone.page.goto(await page_link(api, "small", "publish"))
        button = phone.page.get_by_test_id("prejoin-join")
        await phone.page.locator(".preview video:not([hidden])").wait_for()
        await expect(button).to_be_disabled()
        await expect(button).to_have_accessible_description("Enter your name to go live.")
        assert not await scrolls(phone.page)
        await phone.page.get_by_test_id("prejoin-name").fill("Mary")
        await expect(button).to_be_enabled()
        await expect(button).to_have_accessible_description("")
        await button.click()
        await phone.page.get_by_test_id("stop").wait_for()
        assert not await scrolls(phone.page)


@pytest.mark.parametrize("size", [(568, 320), (667, 375), (844, 390), (320, 568), (1280, 720)])
async def test_picture_and_button_are_in_sight_at_once(api: Api, browser: Browser, size: tuple[int, int]) -> None:
    async with visitor(browser, size) as person:
        for page in ("publish", "meet"):
            await person.page.goto(await page_link(api, "sight", page))
            await person.page.locator(".preview video:not([hidden])").wait_for()
            for part in (person.page.locator(".preview"), person.page.get_by_test_id("prejoin-join")):
                await expect(part).to_be_in_viewport(ratio=1)
            box = await person.page.locator(".preview").bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 100, "too small to see oneself"
            assert page == "meet" or not await scrolls(person.page)
