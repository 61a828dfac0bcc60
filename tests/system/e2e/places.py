"""What the tests ask of the REST contract to get a participant into a room."""

from __future__ import annotations

from typing import Any

from tests.support.product import Api, eventually


async def meet_link(api: Api, room: str, app: str = "live") -> str:
    """A link with which its holder takes part."""
    answer = await api("POST", f"/apps/{app}/rooms/{room}/links", {"page": "meet"}, expect=201)
    return answer["data"]["url"]


async def page_link(api: Api, room: str, page: str, app: str = "live") -> str:
    """A link to a page of the room."""
    answer = await api("POST", f"/apps/{app}/rooms/{room}/links", {"page": page}, expect=201)
    return answer["data"]["url"]


async def token(api: Api, room: str, app: str = "live", **wanted: Any) -> dict[str, Any]:
    """A join token, with the pages of its room."""
    answer = await api("POST", f"/apps/{app}/tokens", {"room": room, **wanted}, expect=201)
    return answer["data"]


async def brief_room(api: Api, room: str, app: str = "live") -> None:
    """A room that ends a second after the last has left, for tests that don't measure that."""
    await api("POST", f"/apps/{app}/rooms", {"name": room, "departureTimeout": 1, "emptyTimeout": 60}, expect=201)


async def session_of(api: Api, room: str, app: str = "live") -> dict[str, Any]:
    """The newest session of the room, with its timeline."""
    listed = (await api("GET", f"/apps/{app}/sessions?room={room}"))["data"]
    return (await api("GET", f"/apps/{app}/sessions/{listed[0]['id']}"))["data"]


async def ended_session(api: Api, session_id: str, app: str = "live") -> dict[str, Any]:
    """The session, once it has ended."""

    async def ended() -> dict[str, Any] | None:
        session = (await api("GET", f"/apps/{app}/sessions/{session_id}"))["data"]
        return session if session["state"] == "ended" else None

    return await eventually(ended)
