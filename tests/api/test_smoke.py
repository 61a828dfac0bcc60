"""The thinnest path through everything."""

from __future__ import annotations

from tests.support.product import Api, eventually


async def test_a_room_becomes_a_session(api: Api) -> None:
    created = await api("POST", "/apps/live/rooms", {"name": "smoke"}, expect=201)
    session_id = created["data"]["session"]
    await api("DELETE", "/apps/live/rooms/smoke", expect=204)

    async def ended() -> bool:
        session = await api("GET", f"/apps/live/sessions/{session_id}")
        return session["data"]["state"] == "ended"

    await eventually(ended)
    session = (await api("GET", f"/apps/live/sessions/{session_id}"))["data"]
    assert session["disposition"] == "terminated"
