"""What the room shows, its HLS shows: participants by WebRTC are composed, and one encoder alone is passed on."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from tests.outputs.hls.product import Viewer, link, made_room, pushing
from tests.support.api_tenant import fresh
from tests.support.composed import Seen, decode, is_near
from tests.support.jpegs import BLUE, RED
from tests.support.product import Api, eventually
from tests.support.room_people import Person, person

LOW, HIGH = 440.0, 1250.0


async def joined(api: Api, room: str, identity: str) -> tuple[str, str]:
    """Where a participant joins, and with what."""
    made = (await api("POST", "/apps/live/tokens", {"room": room, "identity": identity}))["data"]
    return made["wsUrl"], made["token"]


async def seen(viewer: Viewer) -> Seen:
    """The newest segment, with those of its timeline."""
    playlist = await viewer.playlist()
    maps = [segment.map for segment in playlist.segments]
    if not maps:
        return Seen()
    newest = [segment for segment in playlist.segments if segment.map == maps[-1]]
    assert maps[-1]
    return decode(b"".join([(await viewer.get(uri))[0] for uri in [maps[-1], *(one.uri for one in newest)]]))


async def test_two_participants_are_watched_as_one_picture_and_none_sees_who_composes(
    hls_api: Api, http: aiohttp.ClientSession
) -> None:
    room = fresh("hls")
    async with (
        person(*await joined(hls_api, room, "ann")) as ann,
        person(*await joined(hls_api, room, "bob")) as bob,
    ):
        await _publish(ann, bob)
        viewer = Viewer(http, await link(hls_api, room), steady=False)
        text = await viewer.begin()
        assert "RESOLUTION=1280x720" in text
        assert "avc1." in text
        assert "mp4a.40.2" in text

        async def both() -> bool:
            found = await seen(viewer)
            if not found.pictures:
                return False
            halves = [found.colour(0.25, 0.5), found.colour(0.75, 0.5)]
            shown = all(any(is_near(half, colour) for half in halves) for colour in (RED, BLUE))
            return shown and min(found.loudness(LOW), found.loudness(HIGH)) > 0.1

        await eventually(both)
        listed = (await hls_api("GET", f"/apps/live/rooms/{room}/participants"))["data"]
        assert {one["identity"] for one in listed} == {"ann", "bob"}
        (session,) = (await hls_api("GET", f"/apps/live/sessions?room={room}"))["data"]
        whole = (await hls_api("GET", f"/apps/live/sessions/{session['id']}"))["data"]
        assert "ann" in json.dumps(whole)
        assert "composer" not in json.dumps([session, whole])


async def test_an_encoder_is_composed_with_who_joins_and_shown_alone_again(
    hls_api: Api, http: aiohttp.ClientSession
) -> None:
    room, ingress = await made_room(hls_api)
    async with pushing(ingress):
        viewer = Viewer(http, await link(hls_api, room), steady=False)
        await viewer.begin()
        alone = (await viewer.playlist()).segments[-1].map
        async with person(*await joined(hls_api, room, "moderator")) as moderator:
            await moderator.show(RED)

            async def with_moderator() -> bool:
                found = await seen(viewer)
                return bool(found.pictures) and any(is_near(found.colour(x, 0.5), RED) for x in (0.25, 0.75))

            await eventually(with_moderator)
        composed = (await viewer.playlist()).segments[-1].map
        assert composed != alone

        async def alone_again() -> bool:
            playlist = await viewer.playlist()
            sizes = {picture.shape for _, picture in (await seen(viewer)).pictures[-1:]}
            return playlist.segments[-1].map != composed and (720, 1280, 3) not in sizes

        await eventually(alone_again)


async def _publish(ann: Person, bob: Person) -> None:
    await asyncio.gather(ann.show(RED), ann.sound(LOW), bob.show(BLUE), bob.sound(HIGH))
