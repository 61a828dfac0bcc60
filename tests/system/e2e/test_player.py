"""What a viewer is shown beside a plain picture: nothing yet, sound alone, a screen, a pause, the end."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import Visitor, loudness, moves, visitor
from tests.support.product import Api, eventually
from tests.system.e2e.places import brief_room, ended_session, meet_link, session_of, token

pytestmark = pytest.mark.slow

SILENCE = 0.001
CLOSED = "(?i)data ?channel"
"""LiveKit's client logs an error for each data channel that the server closes."""


async def shows(page: Page, state: str) -> None:
    await expect(page.get_by_test_id("stage")).to_have_attribute("data-state", state, timeout=15_000)


async def toggle(person: Visitor, device: str) -> None:
    button = person.page.get_by_test_id(f"toggle-{device}")
    await expect(button).to_be_enabled()
    before = await button.get_attribute("data-on")
    await button.click()
    await expect(button).not_to_have_attribute("data-on", before or "")


async def test_the_player_follows_what_is_published(managed_api: Api, browser: Browser) -> None:
    await brief_room(managed_api, "player")
    async with visitor(browser) as ada, visitor(browser) as viewer:
        stage = viewer.page.get_by_test_id("stage")
        video = viewer.page.get_by_test_id("stage-video")
        await viewer.page.goto((await token(managed_api, "player"))["playUrl"])
        await shows(viewer.page, "waiting")
        await expect(stage).to_contain_text("Waiting for the stream to start")

        await ada.meet(await meet_link(managed_api, "player"), "Ada")
        await moves(video)
        await shows(viewer.page, "live")

        await toggle(ada, "camera")
        await expect(stage).to_have_attribute("data-sound-only", "")
        await shows(viewer.page, "live")
        assert await loudness(viewer.page.locator("audio")) > SILENCE

        await toggle(ada, "screen")
        await moves(video)
        await expect(video).to_have_count(1)
        await toggle(ada, "camera")
        await expect(ada.page.locator('[data-testid="tile"][data-local][data-source="camera"] video')).to_have_count(1)
        await expect(video).to_have_count(1)  # the screen alone, though there is a camera again
        await toggle(ada, "screen")
        await moves(video)

        await ada.leave()
        await shows(viewer.page, "waiting")
        await expect(stage).to_contain_text("The stream has stopped")
        assert (ada.complaints, viewer.complaints) == ([], [])


async def test_a_room_that_is_ended_ends_in_every_page_and_no_page_opens_it_again(
    managed_api: Api, browser: Browser
) -> None:
    await brief_room(managed_api, "ending")
    async with visitor(browser) as ada, visitor(browser) as viewer:
        await ada.meet(await meet_link(managed_api, "ending"), "Ada")
        await viewer.page.goto((await token(managed_api, "ending"))["playUrl"])
        await moves(viewer.page.get_by_test_id("stage-video"))
        session = await session_of(managed_api, "ending")
        await managed_api("DELETE", "/apps/live/rooms/ending", expect=204)
        await shows(viewer.page, "ended")
        await ada.page.locator('[data-testid="left-page"][data-ending="closed"]').wait_for()
        assert (await ended_session(managed_api, session["id"]))["disposition"] == "terminated"
        # A page that came back would have done so within this time.
        await viewer.page.wait_for_timeout(3000)
        assert (await session_of(managed_api, "ending"))["id"] == session["id"]
        await shows(viewer.page, "ended")

        await ada.page.get_by_test_id("rejoin").click()
        await ada.page.locator('[data-testid="meet-room"][data-state="connected"]').wait_for()
        await viewer.page.get_by_role("button", name="Watch again").click()
        await moves(viewer.page.get_by_test_id("stage-video"))
        assert (ada.without(CLOSED), viewer.without(CLOSED)) == ([], [])


async def test_a_viewer_that_is_removed_sees_the_reason(managed_api: Api, browser: Browser) -> None:
    await brief_room(managed_api, "removal")
    async with visitor(browser) as ada:
        await ada.meet(await meet_link(managed_api, "removal"), "Ada")

        async def there() -> str | None:
            people = (await managed_api("GET", "/apps/live/rooms/removal/participants"))["data"]
            return people[0]["identity"] if people else None

        identity = await eventually(there)
        await managed_api("DELETE", f"/apps/live/rooms/removal/participants/{identity}", expect=204)
        gone = ada.page.locator('[data-testid="left-page"][data-ending="closed"]')
        await expect(gone).to_contain_text("removed")
        assert ada.without(CLOSED) == []


async def test_an_embed_page_that_shall_wait_waits_for_a_tap(managed_api: Api, browser: Browser) -> None:
    await brief_room(managed_api, "tap")
    async with visitor(browser) as ada, visitor(browser, (320, 180)) as viewer:
        await ada.meet(await meet_link(managed_api, "tap"), "Ada")
        url = (await token(managed_api, "tap"))["embedUrl"]
        await viewer.page.goto(f"{url}&autoplay=0&controls=0&muted=1")
        await expect(viewer.page.get_by_role("button", name="Play")).to_be_visible()
        await expect(viewer.page.locator("video, .stage-bar button")).to_have_count(0)
        await viewer.page.get_by_role("button", name="Play").click()
        await moves(viewer.page.get_by_test_id("stage-video"))
        await expect(viewer.page.locator(".stage-bar button")).to_have_count(0)
        assert (ada.complaints, viewer.complaints) == ([], [])
