"""The clocks are compared when LiveKit refuses our key, which a wrong clock makes it do."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stagedoor.doctor import clock
from stagedoor.doctor.result import CheckResult
from stagedoor.mediaserver.endpoint import Endpoint


@asynccontextmanager
async def livekit(date: Callable[[], str]) -> AsyncGenerator[Endpoint]:
    """A LiveKit that says what time it is, and refuses everything else."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Date": date()})

    application = web.Application()
    application.router.add_get("/", answer)
    async with TestServer(application) as server:
        url = str(server.make_url("")).rstrip("/").replace("http", "ws")
        yield Endpoint(url, url, "APIkey", "secret")


async def found(ahead: float) -> CheckResult:
    async with livekit(lambda: formatdate(time.time() + ahead, usegmt=True)) as endpoint:
        return await clock.check_by_date(endpoint)


@pytest.mark.parametrize(
    ("ahead", "status", "side"),
    [(-90, "broken", "behind ours"), (90, "broken", "ahead of ours"), (30, "warning", "ahead")],
)
async def test_a_wrong_clock_is_found_with_its_side(ahead: float, status: str, side: str) -> None:
    result = await found(ahead)
    assert (result.check, result.status) == ("clock", status)
    assert side in result.finding


async def test_a_right_clock_is_right() -> None:
    assert (await found(0)).status == "ok"


@pytest.mark.parametrize("date", ["", "yesterday"])
async def test_an_answer_without_a_time_is_skipped(date: str) -> None:
    async with livekit(lambda: date) as endpoint:
        assert (await clock.check_by_date(endpoint)).status == "skipped"
