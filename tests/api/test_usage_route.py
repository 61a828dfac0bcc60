"""What was used: a real participant's minutes, in the event that bills are made of and in the roll-up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_participant import guest_in
from tests.support.api_tenant import fresh
from tests.support.product import Api, eventually


async def test_a_sessions_minutes_are_reported_once_and_rolled_up(managed_api: Api) -> None:
    app, room = fresh("app"), "demo"
    await managed_api("POST", "/apps", {"slug": app, "organisation": "default"}, expect=201)
    async with guest_in(managed_api, app, room, "ada") as guest:
        await guest.publish_camera()

        async def published() -> Any:
            found = (await managed_api("GET", f"/apps/{app}/sessions?state=active"))["data"]
            return found and found[0]["participants"] and found[0]["participants"][0]["tracks"]

        await eventually(published)
        await managed_api("DELETE", f"/apps/{app}/rooms/{room}", expect=204)
        await guest.gone

    async def ended() -> Any:
        return (await managed_api("GET", f"/apps/{app}/sessions?state=ended"))["data"]

    await eventually(ended)

    async def rolled_up() -> Any:
        return (await managed_api("GET", f"/usage?group=session&bucket=all&app={app}"))["data"]

    (row,) = await eventually(rolled_up)
    (session,) = await ended()
    (person,) = session["participants"]
    (track,) = person["tracks"]
    assert track["kind"] == "video"
    assert row["session"] == session["id"]
    assert row["usage"]["participantMinutes"] == pytest.approx(person["durationMs"] / 60_000, abs=0.0001)
    assert 0 < row["usage"]["videoTrackMinutes"] <= row["usage"]["participantMinutes"]
    assert row["usage"]["audioTrackMinutes"] == 0
    assert session["usage"] == row["usage"]
    said = [entry for entry in session["timeline"] if entry["type"] in {"session.ended", "session.corrected"}]
    assert [entry["type"] for entry in said].count("session.ended") == 1
    assert said[0]["detail"]["sessionId"] == session["id"]
    assert said[-1]["detail"]["usage"] == row["usage"]

    for group, key in (("app", "app"), ("organisation", "organisation")):
        (one,) = (await managed_api("GET", f"/usage?group={group}&bucket=all&app={app}"))["data"]
        assert one["usage"] == row["usage"]
        assert one[key]
    hours = (await managed_api("GET", f"/usage?bucket=hour&app={app}"))["data"]
    assert all(hour["start"].endswith(":00:00.000Z") for hour in hours)
    assert (await managed_api("GET", f"/usage?app={app}&until=2020-01-01T00:00:00Z"))["data"] == []
