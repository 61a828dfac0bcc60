"""A real participant in a real room, through LiveKit's own client library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from livekit import rtc

from tests.support.product import Api, eventually

_WIDTH: Final = 64
_HEIGHT: Final = 48
_CLOSING_SECONDS: Final = 10.0
_PROBE: Final = "probe"


class Guest:
    """A participant in a room.

    Attributes:
        room: LiveKit's room, as this participant sees it.
        packets: Data that arrived, as `(payload, topic)`.
        probed: Whether data has reached this participant.
        gone: The reason with which LiveKit ended the connection, once it has.
    """

    def __init__(self, room: rtc.Room) -> None:
        self.room = room
        self.packets: list[tuple[bytes, str | None]] = []
        self.probed = False
        self.gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._painter: asyncio.Task[None] | None = None
        room.on("data_received", self._received)
        room.on("disconnected", self._disconnected)

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    def _received(self, packet: rtc.DataPacket) -> None:
        if packet.topic == _PROBE:
            self.probed = True
        else:
            self.packets.append((packet.data, packet.topic))

    def _disconnected(self, reason: int) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)

    async def publish_camera(self) -> rtc.LocalTrackPublication:
        """Publish a small picture that changes."""
        source = rtc.VideoSource(_WIDTH, _HEIGHT)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        publication = await self.me.publish_track(track, options)
        self._painter = asyncio.create_task(_paint(source), name="painter")
        return publication

    async def leave(self) -> None:
        """Go away as a client does."""
        if self._painter is not None:
            self._painter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._painter
        async with asyncio.timeout(_CLOSING_SECONDS):
            await self.room.disconnect()


async def _paint(source: rtc.VideoSource) -> None:
    level = 0
    while True:
        level = (level + 8) % 256
        pixels = bytes([level]) * (_WIDTH * _HEIGHT * 3 // 2)
        source.capture_frame(rtc.VideoFrame(_WIDTH, _HEIGHT, rtc.VideoBufferType.I420, pixels))
        await asyncio.sleep(0.05)


async def token_for(api: Api, app: str, room: str, identity: str, **grant: Any) -> dict[str, Any]:
    """The answer to the token call."""
    body = {"room": room, "identity": identity, **grant}
    answer: dict[str, Any] = (await api("POST", f"/apps/{app}/tokens", body, expect=201))["data"]
    return answer


@asynccontextmanager
async def joined(token: dict[str, Any]) -> AsyncGenerator[Guest]:
    """A participant who joined with the answer to a token call."""
    guest = Guest(rtc.Room())
    await guest.room.connect(token["wsUrl"], token["token"])
    try:
        yield guest
    finally:
        await guest.leave()


@asynccontextmanager
async def guest_in(api: Api, app: str, room: str, identity: str, **grant: Any) -> AsyncGenerator[Guest]:
    """Mint a token and come in with it."""
    async with joined(await token_for(api, app, room, identity, **grant)) as guest:
        yield guest


async def reachable(api: Api, app: str, room: str, *guests: Guest) -> None:
    """Wait until data reaches these participants.

    A participant may be `active` before its data channel is open, and what is sent to it meanwhile is lost: LiveKit's
    `SendDataMessage` drops it. So small packets are sent until each has one.
    """

    async def all_probed() -> bool:
        await api.raw("POST", f"/apps/{app}/rooms/{room}/data", {"data": ".", "topic": _PROBE})
        return all(guest.probed for guest in guests)

    await eventually(all_probed)
