"""One publishes, the other watches it move; REST and the live feed follow, and the record has the right durations.

The room is made by the first who joins, with LiveKit's own time-outs: it ends twenty seconds after the last has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.support.browser import moves, visitor
from tests.support.product import Api, RunningProduct
from tests.system.e2e.feed import Feed, following, now_ms
from tests.system.e2e.places import meet_link, session_of, token

pytestmark = pytest.mark.slow

DEPARTURE_MS = 20_000
"""LiveKit's default `departure_timeout`."""
CUT_MS = 2
"""A duration is the difference of two times that are cut to milliseconds."""


@dataclass(slots=True)
class Presence:
    """What we know of one stay, by our own clock.

    LiveKit notes the joining between our asking for it and the page's saying that it is connected. The leaving lies
    between our asking for it and the feed's event of it. So the true duration lies between the two differences, and
    no further tolerance is needed: it is all one clock.
    """

    joined_after: int
    joined_before: int
    left_after: int = 0
    left_before: int = 0

    def check(self, participant: dict[str, Any]) -> None:
        assert self.joined_after - CUT_MS <= ms(participant["joinedAt"]) <= self.joined_before + CUT_MS
        assert self.left_after - CUT_MS <= ms(participant["leftAt"]) <= self.left_before + CUT_MS
        shortest, longest = self.left_after - self.joined_before, self.left_before - self.joined_after
        assert shortest - CUT_MS <= participant["durationMs"] <= longest + CUT_MS
        assert participant["durationMs"] == ms(participant["leftAt"]) - ms(participant["joinedAt"])


def ms(time: str) -> int:
    return round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)


async def test_a_call_from_first_joining_to_its_record(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession, browser: Browser
) -> None:
    async with following(http, product, "call") as feed, visitor(browser) as ada, visitor(browser) as viewer:
        link, access = await meet_link(api, "call"), await token(api, "call")

        asked = now_ms()
        await ada.meet(link, "Ada")
        ada_there = Presence(asked, now_ms())
        ada_sid = (await feed.until("participant.joined", name="Ada")).body["detail"]["sid"]
        await feed.until("track.published", kind="audio")
        await feed.until("track.published", kind="video")
        session = await session_of(api, "call")
        assert (session["state"], session["livekitRoom"]) == ("active", "live-call")
        assert session["roomSid"].startswith("RM_")
        _check_publisher(session, ada_sid)

        asked = now_ms()
        await viewer.page.goto(access["playUrl"])
        video = viewer.page.get_by_test_id("stage-video")
        await moves(video)
        viewer_there = Presence(asked, now_ms())
        viewer_sid = (await feed.until("participant.joined", 2)).body["detail"]["sid"]
        session = await session_of(api, "call")
        assert [person["sid"] for person in session["participants"]] == [ada_sid, viewer_sid]
        assert [person["state"] for person in session["participants"]] == ["active", "active"]
        room = (await api("GET", "/apps/live/rooms/call"))["data"]
        assert (room["state"], room["session"], room["participants"]) == ("live", session["id"], 2)

        viewer_there.left_after = now_ms()
        await viewer.page.close()
        viewer_there.left_before = (await feed.until("participant.left", sid=viewer_sid)).arrived_ms
        ada_there.left_after = now_ms()
        await ada.leave()
        ada_there.left_before = (await feed.until("participant.left", sid=ada_sid)).arrived_ms
        over = (await feed.until("session.ended", seconds=DEPARTURE_MS / 1000 + 20)).arrived_ms

        session = await session_of(api, "call")
        _check_record(session, feed)
        ada_there.check(session["participants"][0])
        viewer_there.check(session["participants"][1])
        assert ada_there.joined_after <= ms(session["startedAt"]) <= ms(session["participants"][0]["joinedAt"])
        assert ada_there.left_after + DEPARTURE_MS <= ms(session["endedAt"]) + 1000, "LiveKit counts whole seconds"
        assert ms(session["endedAt"]) <= over
        assert session["durationMs"] == ms(session["endedAt"]) - ms(session["startedAt"])
        assert ada.complaints == []
        assert viewer.complaints == []


def _check_publisher(session: dict[str, Any], sid: str) -> None:
    (person,) = session["participants"]
    assert (person["sid"], person["name"], person["state"]) == (sid, "Ada", "active")
    assert sid.startswith("PA_")
    tracks = sorted(person["tracks"], key=lambda track: track["kind"])
    assert [(track["kind"], track["source"]) for track in tracks] == [("audio", "microphone"), ("video", "camera")]
    assert [track["mimeType"].split("/")[0] for track in tracks] == ["audio", "video"]
    assert all(track["sid"].startswith("TR_") and track["unpublishedAt"] is None for track in tracks)


def _check_record(session: dict[str, Any], feed: Feed) -> None:
    assert (session["state"], session["disposition"]) == ("ended", "completed")
    assert session["peakParticipants"] == 2
    assert [person["state"] for person in session["participants"]] == ["left", "left"]
    assert [person["reason"] for person in session["participants"]] == ["CLIENT_INITIATED"] * 2
    assert all(track["unpublishedAt"] for track in session["participants"][0]["tracks"])
    timeline = session["timeline"]
    assert [entry["type"] for entry in timeline] == [
        "session.started",
        "participant.joined",
        "track.published",
        "track.published",
        "participant.joined",
        "participant.left",
        "track.unpublished",
        "track.unpublished",
        "participant.left",
        "session.ended",
    ]
    assert {entry["origin"] for entry in timeline} == {"webhook"}
    assert [entry["at"] for entry in timeline] == sorted(entry["at"] for entry in timeline)
    fields = ("at", "type", "origin", "subject", "detail")
    assert [{name: received.body[name] for name in fields} for received in feed.received] == timeline
