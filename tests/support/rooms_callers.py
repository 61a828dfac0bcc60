"""Real participants: LiveKit's SDK in the test's process, sending and seeing real video."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from livekit import rtc

from tests.support.product import PATIENCE_SECONDS, Api, eventually
from tests.support.tracks import video_frames

_WIDTH, _HEIGHT, _FRAMES_A_SECOND = 160, 120, 20
_PICTURE = bytes(_WIDTH * _HEIGHT * 3 // 2)


class Caller:
    """A participant in a room.

    Attributes:
        frames: When each video frame of another participant came, on the monotonic clock.
        troubles: What the SDK reported about the connection: `reconnecting`, `reconnected`, `disconnected`.
    """

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.frames: list[float] = []
        self.troubles: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", self._watch)
        self.room.on("reconnecting", lambda: self.troubles.append("reconnecting"))
        self.room.on("reconnected", lambda: self.troubles.append("reconnected"))
        self.room.on("disconnected", self._disconnected)

    @property
    def sid(self) -> str:
        return self.room.local_participant.sid

    async def join(self, url: str, token: str) -> None:
        await self.room.connect(url, token)

    async def publish(self) -> None:
        """Send video until the end."""
        source = rtc.VideoSource(_WIDTH, _HEIGHT)
        track = rtc.LocalVideoTrack.create_video_track("picture", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        await self.room.local_participant.publish_track(track, options)
        self._own(self._send(source))

    def largest_gap(self, since: float, until: float) -> float:
        """The longest time without a frame of another participant."""
        inside = [since, *(at for at in self.frames if since < at < until), until]
        return max(after - before for before, after in pairwise(inside))

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()

    async def _send(self, source: rtc.VideoSource) -> None:
        while True:
            source.capture_frame(rtc.VideoFrame(_WIDTH, _HEIGHT, rtc.VideoBufferType.I420, _PICTURE))
            await asyncio.sleep(1 / _FRAMES_A_SECOND)

    def _watch(self, track: rtc.Track, *_: Any) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            self._own(self._receive(track))

    async def _receive(self, track: rtc.Track) -> None:
        async for _ in video_frames(track):
            self.frames.append(time.monotonic())

    def _disconnected(self, _reason: Any) -> None:
        self.troubles.append("disconnected")

    def _own(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)


async def token_for(api: Api, room: str, identity: str) -> tuple[str, str]:
    """LiveKit's address and a join token."""
    data = (await api("POST", "/apps/live/tokens", {"room": room, "identity": identity}, expect=201))["data"]
    return data["wsUrl"], data["token"]


@asynccontextmanager
async def calling(api: Api, room: str, *identities: str, publish: bool = True) -> AsyncGenerator[list[Caller]]:
    """People in a room who see each other's video; those who have not left leave at the end."""
    callers: list[Caller] = []
    try:
        for identity in identities:
            caller = Caller()
            callers.append(caller)
            await caller.join(*await token_for(api, room, identity))
            if publish:
                await caller.publish()

        async def all_see() -> bool:
            return not publish or len(callers) < 2 or all(len(caller.frames) > 5 for caller in callers)

        await eventually(all_see, 30)
        yield callers
    finally:
        for caller in callers:
            with contextlib.suppress(Exception):
                await caller.leave()


async def sessions_of(api: Api, room: str, state: str | None = None) -> list[dict[str, Any]]:
    """The room's sessions, newest first, whole."""
    query = f"?room={room}" + (f"&state={state}" if state else "")
    listed: list[dict[str, Any]] = (await api("GET", f"/apps/live/sessions{query}"))["data"]
    return [(await api("GET", f"/apps/live/sessions/{one['id']}"))["data"] for one in listed]


async def session_with(
    api: Api, room: str, people: int, *, seconds: float = PATIENCE_SECONDS, tracks: int = 0
) -> dict[str, Any]:
    """The room's live session once so many are active in it, with so many live tracks."""

    async def look() -> dict[str, Any] | None:
        for session in await sessions_of(api, room, "active"):
            active = [person for person in session["participants"] if person["state"] == "active"]
            live = [track for person in active for track in person["tracks"] if track["unpublishedAt"] is None]
            if len(active) == people and len(live) >= tracks:
                return session
        return None

    found: dict[str, Any] = await eventually(look, seconds)
    return found


async def ended_session(api: Api, session_id: str, *, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """The session once it has ended."""

    async def look() -> dict[str, Any] | None:
        session: dict[str, Any] = (await api("GET", f"/apps/live/sessions/{session_id}"))["data"]
        return session if session["state"] == "ended" else None

    found: dict[str, Any] = await eventually(look, seconds)
    return found
