"""Two people in a meeting see and hear each other, write, mute and share, and REST agrees with what they see."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.support.browser import Visitor, loudness, moves, visitor
from tests.support.product import Api, eventually
from tests.system.e2e.places import brief_room, ended_session, meet_link, session_of

pytestmark = pytest.mark.slow

SILENCE = 0.001


def tile_of_other(person: Visitor, source: str = "camera") -> Locator:
    return person.page.locator(f'[data-testid="tile"][data-source="{source}"]:not([data-local])')


async def test_two_people_meet(api: Api, browser: Browser) -> None:
    await brief_room(api, "meeting")
    async with visitor(browser) as ada, visitor(browser) as bo:
        await ada.meet(await meet_link(api, "meeting"), "Ada")
        await bo.meet(await meet_link(api, "meeting"), "Bo")
        for person in (ada, bo):
            await moves(tile_of_other(person).locator("video"))
            await moves(person.page.locator('[data-testid="tile"][data-local] video'))
            await expect(person.page.get_by_test_id("participant-count")).to_have_attribute("data-count", "2")
            assert await loudness(person.page.locator("audio")) > SILENCE
        await _agrees(
            api, {"Ada": {"camera": False, "microphone": False}, "Bo": {"camera": False, "microphone": False}}
        )
        await expect(tile_of_other(ada).locator(".tile-name")).to_have_text("Bo")

        await _chat(ada, bo)
        await _mute(api, ada, bo)
        await _share(api, ada, bo)

        await ada.leave()
        await expect(bo.page.get_by_test_id("participant-count")).to_have_attribute("data-count", "1")
        await bo.leave()
        session = await ended_session(api, (await session_of(api, "meeting"))["id"])
        assert (session["disposition"], session["peakParticipants"]) == ("completed", 2)
        assert (ada.complaints, bo.complaints) == ([], [])


async def _chat(ada: Visitor, bo: Visitor) -> None:
    await bo.page.get_by_test_id("toggle-chat").click()
    await bo.page.get_by_test_id("chat-input").fill("See https://example.com/notes <b>now</b>")
    await bo.page.get_by_test_id("chat-input").press("Enter")
    await expect(ada.page.get_by_test_id("toggle-chat")).to_have_attribute("data-unread", "1")
    await ada.page.get_by_test_id("toggle-chat").click()
    message = ada.page.get_by_test_id("chat-message")
    await expect(message).to_have_count(1)
    await expect(message).to_contain_text("Bo")
    await expect(message).to_contain_text("See https://example.com/notes <b>now</b>")
    await expect(message.get_by_role("link")).to_have_attribute("href", "https://example.com/notes")
    await expect(ada.page.get_by_test_id("toggle-chat")).to_have_attribute("data-unread", "0")


async def _mute(api: Api, ada: Visitor, bo: Visitor) -> None:
    silent = tile_of_other(bo).get_by_role("img", name="Microphone off")
    await expect(silent).to_have_count(0)
    await ada.page.get_by_test_id("toggle-microphone").click()
    await expect(silent).to_be_visible()
    await _agrees(api, {"Ada": {"camera": False, "microphone": True}, "Bo": {"camera": False, "microphone": False}})
    await ada.page.get_by_test_id("toggle-camera").click()
    await expect(tile_of_other(bo).locator("video")).to_have_count(0)
    await expect(tile_of_other(bo).locator(".avatar")).to_be_visible()
    await _agrees(api, {"Ada": {"camera": True, "microphone": True}, "Bo": {"camera": False, "microphone": False}})
    await ada.page.get_by_test_id("toggle-microphone").click()
    await ada.page.get_by_test_id("toggle-camera").click()
    await expect(silent).to_have_count(0)
    await moves(tile_of_other(bo).locator("video"))


async def _share(api: Api, ada: Visitor, bo: Visitor) -> None:
    await ada.page.get_by_test_id("toggle-screen").click()
    await moves(tile_of_other(bo, "screen_share").locator("video"))
    await expect(bo.page.locator(".layout")).to_have_attribute("data-layout", "focus")
    await _agrees(
        api,
        {
            "Ada": {"camera": False, "microphone": False, "screen_share": False},
            "Bo": {"camera": False, "microphone": False},
        },
    )
    await ada.page.get_by_test_id("toggle-screen").click()
    await expect(tile_of_other(bo, "screen_share")).to_have_count(0)
    await expect(bo.page.locator(".layout")).to_have_attribute("data-layout", "grid")


async def _agrees(api: Api, wanted: dict[str, dict[str, bool]]) -> None:
    """Soon REST lists these people with these sources, muted or not."""
    seen: list[Any] = []

    async def agrees() -> bool:
        people = (await api("GET", "/apps/live/rooms/meeting/participants"))["data"]
        listed = {person["name"]: {track["source"]: track["muted"] for track in person["tracks"]} for person in people}
        seen[:] = [listed]
        return listed == wanted

    try:
        await eventually(agrees)
    except AssertionError:
        raise AssertionError(f"REST lists {seen[0]}, not {wanted}") from None
