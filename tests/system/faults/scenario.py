"""Real participants who come and go as a seed says, each through LiveKit's own client library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import aiohttp
from livekit import api as livekit
from livekit import rtc
from livekit.protocol.room import DeleteRoomRequest
from livekit.rtc import SimulateScenarioKind

from tests.support.product import KEY, SECRET, eventually
from tests.system.faults.chronicle import Chronicle, Listed, Look

ROOMS: Final = ("live-a", "live-b")
IDENTITIES: Final = ("ann", "bob", "cleo")
WITNESS: Final = "dora"
_WIDTH, _HEIGHT, _FRAMES_A_SECOND = 64, 48, 10
_PICTURE = bytes(_WIDTH * _HEIGHT * 3 // 2)

_STEPS: Final = (
    ("join",) * 5 + ("publish",) * 4 + ("unpublish",) * 2 + ("leave",) * 3 + ("come_again",) * 2 + ("take_over",)
    + ("reconnect",) + ("delete",) + ("vacate",) + ("compare",) * 2
)  # fmt: skip
"""Each seed has them all, in another order and by other people."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A visit, as the client saw it."""

    sid: str
    identity: str
    room: str
    room_sid: str


class Visitor:
    """One connection."""

    def __init__(self, room: str, identity: str) -> None:
        self.room = room
        self.identity = identity
        self.connection = rtc.Room()
        self._cameras: dict[str, asyncio.Task[None]] = {}

    @property
    def published(self) -> list[str]:
        """SIDs, which change when the SDK connects again."""
        return sorted(self.connection.local_participant.track_publications)

    async def come(self, url: str) -> Stay:
        # Of LiveKit's keys rather than by Stagedoor, so that people come while it is dead.
        grants = livekit.VideoGrants(room_join=True, room=self.room)
        token = livekit.AccessToken(KEY, SECRET).with_identity(self.identity).with_grants(grants).to_jwt()
        await self.connection.connect(url.replace("http", "ws", 1), token, rtc.RoomOptions(auto_subscribe=False))
        sid = self.connection.local_participant.sid
        return Stay(sid, self.identity, self.room, await self.connection.sid)

    async def publish(self) -> str:
        source = rtc.VideoSource(_WIDTH, _HEIGHT)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        camera = asyncio.create_task(_film(source), name=f"camera of {self.identity}")
        publication = await self.connection.local_participant.publish_track(track, options)
        self._cameras[publication.sid] = camera
        return publication.sid

    async def unpublish(self, sid: str) -> None:
        await self.connection.local_participant.unpublish_track(sid)

    async def leave(self) -> None:
        cameras = list(self._cameras.values())
        for camera in cameras:
            camera.cancel()
        await asyncio.gather(*cameras, return_exceptions=True)
        async with asyncio.timeout(10):
            await self.connection.disconnect()


async def _film(source: rtc.VideoSource) -> None:
    while True:
        source.capture_frame(rtc.VideoFrame(_WIDTH, _HEIGHT, rtc.VideoBufferType.I420, _PICTURE))
        await asyncio.sleep(1 / _FRAMES_A_SECOND)


class Scenario:
    """What people do.

    What begins is waited for until LiveKit lists it, so that the chronicle knows all; what ends is not always.

    Attributes:
        stays: What the clients saw.
        deleted: SIDs of rooms that were deleted.
    """

    def __init__(self, url: str, chronicle: Chronicle) -> None:
        self._url = url
        self._chronicle = chronicle
        self._chance = Random(0)
        self._present: dict[tuple[str, str], Visitor] = {}
        self.stays: list[Stay] = []
        self.deleted: set[str] = set()

    async def play(self, seed: int) -> None:
        """All of the seed."""
        self._chance = Random(seed)
        steps = list(_STEPS)
        self._chance.shuffle(steps)
        for step in ["join", "join", "publish", *steps]:
            await self.take(step)

    async def take(self, step: str) -> None:
        """One step, by a participant who can; if none can, one comes."""
        present = sorted(self._present)
        filming = [place for place in present if self._present[place].published]
        match step:
            case "compare":
                await self._chronicle.compared()
            case "publish" if present:
                await self.publish(*self._chance.choice(present))
            case "unpublish" if filming:
                await self.unpublish(*self._chance.choice(filming))
            case "leave" if present:
                await self.leave(*self._chance.choice(present), wait=self._chance.random() < 0.5)
            case "come_again" if present:
                place = self._chance.choice(present)
                await self.leave(*place, wait=False)
                await self.join(*place)
            case "take_over" if present:
                await self.join(*self._chance.choice(present))
            case "reconnect" if present:
                await self.reconnect(*self._chance.choice(present))
            case "delete" if present:
                await self.delete(self._chance.choice(present)[0])
            case "vacate" if present:
                await self.vacate(self._chance.choice(present)[0])
            case _:
                absent = [(room, who) for room in ROOMS for who in IDENTITIES if (room, who) not in self._present]
                await self.join(*self._chance.choice(absent or present))

    async def join(self, room: str, identity: str) -> Stay:
        """Come in; who is there under this identity already is put out by LiveKit."""
        before = self._present.pop((room, identity), None)
        visitor = Visitor(room, identity)
        stay = await visitor.come(self._url)
        self._present[room, identity] = visitor
        self.stays.append(stay)
        await self._until(lambda look: (one := look.people.get(stay.sid)) is not None and one.active)
        if before is not None:
            await before.leave()
        return stay

    async def reconnect(self, room: str, identity: str) -> None:
        """The SDK loses everything, connects again and publishes again, as it does after a change of network."""
        visitor = self._present[room, identity]
        before = {person.sid for person in (await self._chronicle.now()).people.values()}
        await visitor.connection.simulate_scenario(SimulateScenarioKind.SIMULATE_FULL_RECONNECT)

        def is_back(person: Listed) -> bool:
            # The SDK's own list has the old SIDs of what it has not published again yet.
            return person.identity == identity and person.active and person.tracks >= set(visitor.published)

        await self._until(
            lambda look: any(
                is_back(person)
                for life in look.lives
                if life.name == room
                for person in life.people
                if person.sid not in before
            )
        )

    async def publish(self, room: str, identity: str) -> None:
        sid = await self._present[room, identity].publish()
        await self._until(lambda look: any(sid in person.tracks for person in look.people.values()))

    async def unpublish(self, room: str, identity: str) -> None:
        visitor = self._present[room, identity]
        await visitor.unpublish(visitor.published[0])

    async def leave(self, room: str, identity: str, *, wait: bool = True) -> None:
        visitor = self._present.pop((room, identity))
        sid = visitor.connection.local_participant.sid
        await visitor.leave()
        if wait:
            await self._until(lambda look: sid not in look.people)

    async def vacate(self, room: str) -> None:
        """All participants leave, and LiveKit ends the room."""
        for place in [place for place in sorted(self._present) if place[0] == room]:
            await self.leave(*place, wait=False)
        await self._over(room)

    async def delete(self, room: str) -> None:
        """The room is deleted in LiveKit, under all participants."""
        self.deleted |= {life.sid for life in (await self._chronicle.now()).lives if life.name == room}
        async with aiohttp.ClientSession() as http:
            client = livekit.LiveKitAPI(self._url, KEY, SECRET, session=http)
            await client.room.delete_room(DeleteRoomRequest(room=room))
        for place in [place for place in self._present if place[0] == room]:
            await self._present.pop(place).leave()
        await self._over(room)

    async def end(self) -> None:
        """All participants leave, and every room ends."""
        for place in sorted(self._present):
            await self.leave(*place, wait=False)
        await self._until(lambda look: not look.lives)

    async def forsake(self) -> None:
        """Let go of the connections, whatever became of LiveKit."""
        while self._present:
            await self._present.popitem()[1].leave()

    async def _over(self, room: str) -> None:
        await self._until(lambda look: room not in {life.name for life in look.lives})

    async def _until(self, holds: Callable[[Look], bool]) -> None:
        async def look() -> bool:
            return holds(await self._chronicle.now())

        await eventually(look, 20)
