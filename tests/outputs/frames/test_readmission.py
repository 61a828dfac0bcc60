"""Viewers are admitted again round by round: an app is read once in a round, and again in the next."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any, cast

import pytest

from stagedoor.kernel.errors import NotFound
from stagedoor.outputs.frames import readmission
from stagedoor.outputs.frames.readmission import ReadApps, Readmission, Readmissions
from stagedoor.streams.hub import EndOfStream, Viewer
from stagedoor.tenancy.nouns import App

pytestmark = pytest.mark.anyio


async def test_a_round_reads_an_app_once_and_the_next_one_sees_its_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readmission, "_EVERY_SECONDS", 0.01)
    stored: list[Any] = ["open"]
    rounds: list[list[int]] = []
    seen = asyncio.Event()

    def readmitted(number: int) -> Readmission:
        async def admit(apps: ReadApps) -> None:
            if "app" not in apps:
                apps["app"] = cast("App", stored[-1])
                rounds.append([])
            rounds[-1].append(number)
            if len(rounds) > 3:
                seen.set()
            if apps["app"] != cast("App", "open"):
                raise NotFound("closed")

        return Readmission(number, admit)

    readmissions = Readmissions()
    with ExitStack() as stack:
        viewers = [Viewer(None) for _ in range(5)]
        for number, viewer in enumerate(viewers):
            stack.enter_context(readmissions.watch(viewer, readmitted(number)))
        await asyncio.wait_for(seen.wait(), 30)
        assert rounds[0] == rounds[1] == [0, 1, 2, 3, 4]
        assert not any(viewer.refused for viewer in viewers)
        stored.append("closed")
        for viewer in viewers:
            with pytest.raises(EndOfStream):
                await asyncio.wait_for(viewer.next(), 30)
            assert viewer.refused
