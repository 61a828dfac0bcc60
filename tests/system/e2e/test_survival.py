"""A LiveKit that dies costs a moment; a Stagedoor that dies costs the people in the call nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, expect

from tests.support.browser import Visitor, keeps_moving, moves, visitor
from tests.support.product import Api, Mode, RunningProduct, eventually, running
from tests.system.e2e.places import ended_session, meet_link, session_of, token

pytestmark = pytest.mark.slow

STANDSTILL_SECONDS = 3.0
"""More than two busy cores may keep a picture waiting; less than a client needs to lose LiveKit and find it again."""
BACK_SECONDS = 60.0
"""LiveKit's start, and the pauses between the pages' attempts to come back."""
POLICY = "Content Security Policy"


def picture_of_other(person: Visitor) -> Locator:
    return person.page.locator('[data-testid="tile"]:not([data-local]) video')


@pytest.fixture
def own_product(tmp_path: Path, mode: Mode) -> Generator[RunningProduct]:
    """A product that a test may kill."""
    with running(tmp_path, mode) as started:
        yield started


@pytest.fixture
def own_api(own_product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, own_product.url, own_product.api_key)


@pytest.mark.parametrize("mode", ["managed"])
async def test_the_pages_come_back_by_themselves_when_livekit_was_killed(
    own_product: RunningProduct, own_api: Api, browser: Browser
) -> None:
    async with visitor(browser) as ada, visitor(browser) as viewer:
        await ada.meet(await meet_link(own_api, "lost"), "Ada")
        await viewer.page.goto((await token(own_api, "lost"))["playUrl"])
        video = viewer.page.get_by_test_id("stage-video")
        await moves(video)
        before = await session_of(own_api, "lost")
        pid = own_product.livekit_pid
        os.kill(pid, signal.SIGKILL)

        async def both_are_back() -> bool:
            now = await session_of(own_api, "lost")
            return now["id"] != before["id"] and [p["state"] for p in now["participants"]] == ["active", "active"]

        await eventually(both_are_back, BACK_SECONDS)
        await expect(ada.page.get_by_test_id("meet-room")).to_have_attribute("data-state", "connected")
        await moves(video)
        await expect(viewer.page.get_by_test_id("stage")).to_have_attribute("data-state", "live")
        assert own_product.livekit_pid != pid
        lost = await ended_session(own_api, before["id"])
        assert lost["disposition"] == "server_lost"
        assert {person["state"] for person in lost["participants"]} == {"left"}
        assert [said for said in ada.complaints + viewer.complaints if POLICY in said] == []


@pytest.mark.parametrize("mode", ["managed", "external"])
async def test_a_call_goes_on_while_stagedoor_is_killed(
    own_product: RunningProduct, own_api: Api, browser: Browser
) -> None:
    async with visitor(browser) as ada, visitor(browser) as bo:
        await ada.meet(await meet_link(own_api, "steady"), "Ada")
        await bo.meet(await meet_link(own_api, "steady"), "Bo")
        await moves(picture_of_other(ada))
        await moves(picture_of_other(bo))

        async def complete() -> bool:
            session = await session_of(own_api, "steady")
            return [len(person["tracks"]) for person in session["participants"]] == [2, 2]

        await eventually(complete)
        before = await session_of(own_api, "steady")
        livekit = own_product.livekit_pid
        async with (
            keeps_moving(picture_of_other(ada), STANDSTILL_SECONDS),
            keeps_moving(picture_of_other(bo), STANDSTILL_SECONDS),
        ):
            own_product.kill()
            own_product.start()
            await moves(picture_of_other(ada))
            await moves(picture_of_other(bo))
        assert own_product.livekit_pid == livekit
        after = await session_of(own_api, "steady")
        assert after == before

        await ada.leave()
        await bo.leave()

        async def both_left() -> bool:
            session = await session_of(own_api, "steady")
            return [person["state"] for person in session["participants"]] == ["left", "left"]

        await eventually(both_left)
        assert (await session_of(own_api, "steady"))["id"] == before["id"]
        assert (ada.complaints, bo.complaints) == ([], [])
