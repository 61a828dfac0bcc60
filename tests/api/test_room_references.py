"""Every path, query and body that takes a room takes its short and its LiveKit name, and means the same by both."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from livekit.protocol.room import CreateRoomRequest

from tests.support.api_tenant import new_app, problem
from tests.support.product import Api, RunningProduct, eventually

WHO = "/apps/{app}/rooms/{room}/participants/nobody"
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/apps/{app}/rooms/{room}", None),
    ("PATCH", "/apps/{app}/rooms/{room}", {"metadata": "x"}),
    ("POST", "/apps/{app}/rooms", {"name": "{room}"}),
    ("POST", "/apps/{app}/tokens", {"room": "{room}"}),
    ("POST", "/apps/{app}/rooms/{room}/data", {"data": "x"}),
    ("POST", "/apps/{app}/rooms/{room}/links", {"page": "play"}),
    ("GET", "/apps/{app}/rooms/{room}/participants", None),
    ("GET", WHO, None),
    ("PATCH", WHO, {"name": "x"}),
    ("DELETE", WHO, None),
    ("DELETE", WHO + "?ban=1m", None),
    ("POST", WHO + "/tracks/TR_none/mute", {"muted": True}),
    ("GET", "/apps/{app}/sessions?room={room}", None),
    ("DELETE", "/apps/{app}/rooms/{room}", None),
]
CHANGING = {"updatedAt", "token", "identity", "playUrl", "embedUrl", "url", "expiresAt"}


def steady(answer: Any) -> Any:
    """What does not change from one call to the next."""
    data = answer.get("data", answer) if isinstance(answer, dict) else answer  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(data, dict):
        return {name: value for name, value in data.items() if name not in CHANGING}  # pyright: ignore[reportUnknownVariableType]
    return data  # pyright: ignore[reportUnknownVariableType]


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
async def test_both_names_mean_the_same(
    managed_api: Api, managed_app: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    app = managed_app
    answers: list[tuple[int, Any]] = []
    for room in ("demo", f"{app}-demo"):
        await managed_api.raw("POST", f"/apps/{app}/rooms", {"name": "demo"})  # where it is not there yet
        filled = None if body is None else {name: _fill(value, app, room) for name, value in body.items()}
        status, answer, _ = await managed_api.raw(method, _fill(path, app, room), filled)
        assert status < 500
        if method == "DELETE" and status == 204:
            answers.append((status, None))
        else:
            answers.append((status, _without_timeline(steady(answer))))
    assert answers[0] == answers[1]
    twice = f"{app}-{app}-demo"
    filled = None if body is None else {name: _fill(value, app, twice) for name, value in body.items()}
    assert await problem(managed_api, method, _fill(path, app, twice), filled) == (422, "bad_room_name")


def _fill(value: Any, app: str, room: str) -> Any:
    return value.replace("{app}", app).replace("{room}", room) if isinstance(value, str) else value


def _without_timeline(data: Any) -> Any:
    """Sessions without what is still being reported about them."""
    if isinstance(data, list):
        return [item["id"] for item in data]  # pyright: ignore[reportUnknownVariableType]
    return data


async def test_whatever_livekit_calls_a_room_it_is_its_prefixs(
    managed_api: Api, managed_product: RunningProduct
) -> None:
    """It was not announced through Stagedoor; its name is of a form that we would not give."""
    app = await new_app(managed_api)
    for short in ("we ird/ü", " blanks ", "a/b/participants", "100%", "%2F"):
        name = f"{app}-{short}"
        async with managed_product.livekit() as server:
            await server.room.create_room(CreateRoomRequest(name=name, empty_timeout=60))
        address = f"/apps/{app}/rooms/{quote(short, safe='')}"

        async def adopted(address: str = address) -> Any:
            status, found, _ = await managed_api.raw("GET", address)
            return found["data"] if status == 200 and found["data"]["session"] else None

        room = await eventually(adopted)
        assert (room["name"], room["livekitRoom"]) == (short, name)
        listed = (await managed_api("GET", f"/apps/{app}/rooms"))["data"]
        assert name in {one["livekitRoom"] for one in listed}
        assert (await managed_api("GET", f"{address}/participants"))["data"] == []
        session = (await managed_api("GET", f"/apps/{app}/sessions/{quote(name, safe='')}"))["data"]
        assert session["id"] == room["session"]
        await managed_api("DELETE", address, expect=204)
