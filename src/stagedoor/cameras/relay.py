"""Frames between nodes, over Redis: the node that has viewers subscribes, and only then the camera's node sends.

Keys and channels, all of which are forgotten when their owners are:

    stagedoor:camera:<room>   which camera sends to which node; lives for seconds unless it is renewed
    stagedoor:cameras         what nodes tell each other: a camera came or went, a node wants a room's frames
    stagedoor:frames:<room>   the frames, as long as somebody subscribes
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from stagedoor.cameras.closing import REPLACED
from stagedoor.cameras.live import LiveCamera, LiveCameras
from stagedoor.frames.hub import Gone, Hub, Slot
from stagedoor.frames.jpeg import Size
from stagedoor.frames.slate import slate
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.workers.backoff import Backoff

_log = structlog.get_logger()

_TALK: Final = "stagedoor:cameras"
_FRAMES: Final = "stagedoor:frames:"
_SENDER: Final = "stagedoor:camera:"
_HEAD: Final = struct.Struct(">QHH")
_RENEW_SECONDS: Final = 3.0
_LIFE_SECONDS: Final = 10
"""A node that died is missed after so long."""

_CONNECT_SECONDS: Final = 3.0
_DELETE_OWN: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class _Word(msgspec.Struct):
    """What one node says to all: a camera came or went, or the room's frames are wanted."""

    what: Literal["came", "went", "want"]
    node: str
    room: str


class _Sender(msgspec.Struct):
    node: str
    camera: str


@dataclass(frozen=True, slots=True)
class _Watched:
    """A room that is looked at here."""

    slot: Slot
    settings: AppSettings

    def begin(self) -> None:
        if not self.slot.sending:
            self.slot.begin()

    def lose(self) -> None:
        if self.slot.sending:
            self.slot.clear(slate() if self.settings.camera_slate else None, self.settings.camera_resume)


class Relay:
    """This node's end.

    Args:
        url: Redis.
        node: This node's name, unlike any other's.
        hub: Where frames pass here.
        cameras: Those that send here.
    """

    def __init__(self, url: str, node: str, hub: Hub, cameras: LiveCameras) -> None:
        from_url: Any = Redis.from_url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._redis: Any = from_url(url, socket_connect_timeout=_CONNECT_SECONDS)
        self._pubsub: Any = None
        self._node = node
        self._hub = hub
        self._cameras = cameras
        self._here: dict[str, LiveCamera] = {}
        self._users: Counter[str] = Counter()
        self._watched: dict[str, _Watched] = {}
        self._subscribed: set[str] = set()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        cameras.listen(self._changed.set)

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """The ids of the cameras that send to other nodes, by room; none while Redis can't be asked."""
        rooms = list(livekit_rooms)
        if not rooms:
            return {}
        try:
            found: list[bytes | None] = await self._redis.mget([_SENDER + room for room in rooms])
        except (RedisError, OSError) as error:
            _log.warning("which cameras other nodes have can't be looked up now", error=str(error))
            return {}
        senders = {
            room: msgspec.json.decode(value, type=_Sender) for room, value in zip(rooms, found, strict=True) if value
        }
        return {room: sender.camera for room, sender in senders.items() if sender.node != self._node}

    @asynccontextmanager
    async def watch(self, livekit_room: str, settings: AppSettings) -> AsyncGenerator[None]:
        """Have the room's frames here while the context lasts, whichever node its camera sends to."""
        with self._hub.slot(livekit_room) as slot:
            self._users[livekit_room] += 1
            self._watched.setdefault(livekit_room, _Watched(slot, settings))
            self._changed.set()
            try:
                yield
            finally:
                self._users[livekit_room] -= 1
                if not self._users[livekit_room]:
                    del self._users[livekit_room], self._watched[livekit_room]
                    self._changed.set()

    async def run(self) -> None:
        """Keep in touch with the other nodes, and take up again what Redis lost."""
        backoff = Backoff(0.2, 5.0, 10.0)
        while True:
            began = time.monotonic()
            self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await self._pubsub.subscribe(_TALK)
                self._changed.set()
                async with asyncio.TaskGroup() as tasks:
                    for work in (self._listen(), self._renew(), self._follow()):
                        tasks.create_task(work)
            except* (RedisError, OSError) as errors:
                _log.warning("Redis can't be reached; cameras are seen on their own node only", error=str(errors))
            finally:
                for task in self._sending.values():
                    task.cancel()
                self._sending.clear()
                self._subscribed.clear()
                self._here.clear()
                with suppress(RedisError, OSError):
                    await self._pubsub.aclose()
            await asyncio.sleep(backoff.after(time.monotonic() - began))

    async def close(self) -> None:
        """Withdraw what this node said of its cameras."""
        with suppress(RedisError, OSError):
            for live in self._cameras.current():
                await self._withdraw(live)
        await self._redis.aclose()

    async def _listen(self) -> None:
        async for message in self._pubsub.listen():
            channel: str = message["channel"].decode()
            if channel == _TALK:
                await self._hear(msgspec.json.decode(message["data"], type=_Word))
            else:
                self._arrived(channel.removeprefix(_FRAMES), message["data"])

    async def _hear(self, word: _Word) -> None:
        if word.node == self._node:
            return
        if word.what == "want":
            live = self._cameras.find(word.room)
            if live is not None:
                self._send(live)
            return
        if word.what == "came":
            live = self._cameras.find(word.room)
            if live is not None:
                live.close(REPLACED)
        if word.room in self._subscribed:
            await self._look([word.room])

    def _arrived(self, room: str, message: bytes) -> None:
        watched = self._watched.get(room)
        if watched is not None and self._cameras.find(room) is None:
            at, width, height = _HEAD.unpack_from(message)
            watched.begin()
            watched.slot.publish(at, message[_HEAD.size :], Size(width, height))

    async def _follow(self) -> None:
        """Tell the others what has changed here, and listen to those rooms alone that are looked at here."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            here = {live.room: live for live in self._cameras.current()}
            for room, live in here.items():
                if self._here.get(room) is not live:
                    await self._present(live)
                    await self._say("came", room)
            for room, live in list(self._here.items()):
                if room not in here:
                    sending = self._sending.pop(room, None)
                    if sending is not None:
                        sending.cancel()
                    await self._withdraw(live)
            self._here = here
            wanted = self._watched.keys() - here.keys()
            for room in self._subscribed - wanted:
                await self._pubsub.unsubscribe(_FRAMES + room)
            fresh = wanted - self._subscribed
            for room in fresh:
                await self._pubsub.subscribe(_FRAMES + room)
            self._subscribed = set(wanted)
            await self._look(fresh)

    async def _renew(self) -> None:
        """Say again and again what is so: a node that says nothing any more is dead."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            for live in self._cameras.current():
                await self._present(live)
            await self._look(list(self._subscribed))

    async def _look(self, rooms: Collection[str]) -> None:
        """Find out who sends to the rooms that are looked at here."""
        senders = await self.senders(rooms)
        for room in rooms:
            watched = self._watched.get(room)
            if watched is None or self._cameras.find(room) is not None:
                continue
            if room not in senders:
                watched.lose()
            elif watched.slot.newest is None:
                watched.begin()
                await self._say("want", room)

    def _send(self, live: LiveCamera) -> None:
        """Send its frames to the other nodes, from the newest on, until nobody there listens."""
        before = self._sending.pop(live.room, None)
        if before is not None:
            before.cancel()
        task = asyncio.create_task(self._send_frames(live), name=f"relay {live.room}")
        self._sending[live.room] = task

    async def _send_frames(self, live: LiveCamera) -> None:
        channel = _FRAMES + live.room
        with live.slot.view() as viewer, suppress(Gone, RedisError, OSError):
            while True:
                frame = await viewer.next()
                head = _HEAD.pack(frame.at, frame.size.width, frame.size.height)
                if live.closing.done() or not await self._redis.publish(channel, head + frame.data):
                    return

    async def _present(self, live: LiveCamera) -> None:
        await self._redis.set(_SENDER + live.room, self._sender(live), ex=_LIFE_SECONDS)

    async def _withdraw(self, live: LiveCamera) -> None:
        # Not what another node says of the same room: the camera may have gone there.
        await self._redis.eval(_DELETE_OWN, 1, _SENDER + live.room, self._sender(live))
        await self._say("went", live.room)

    async def _say(self, what: Literal["came", "went", "want"], room: str) -> None:
        await self._redis.publish(_TALK, msgspec.json.encode(_Word(what, self._node, room)))

    def _sender(self, live: LiveCamera) -> bytes:
        return msgspec.json.encode(_Sender(self._node, live.camera.id))
