"""Frames between nodes, over Redis: the node that has viewers subscribes, and only then the camera's node sends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stagedoor.processes.backoff import Backoff
from stagedoor.streams.closing import REPLACED
from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.claims import Claims
from stagedoor.streams.cluster.frame_publisher import FramePublisher
from stagedoor.streams.cluster.messages import Claim, Message, Names
from stagedoor.streams.cluster.redis_outage import RedisOutageLog
from stagedoor.streams.cluster.redis_subscriber import RedisSubscriber
from stagedoor.streams.cluster.remote_stream import RemoteStream
from stagedoor.streams.hub import Hub
from stagedoor.streams.senders import Sender, Senders
from stagedoor.tenancy.nouns import AppSettings

_RENEW_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 3.0
_LEAVE_SECONDS: Final = 2.0
_ASKERS: Final = 8
"""Requests that ask Redis at a time; each takes a connection, and a fleet may come back at once."""


@dataclass(frozen=True, slots=True)
class _Mine:
    sender: Sender
    claim: Claim


class Relay:
    """This node's end.

    What this node does at Redis is done by one task in order, `_follow`; what it hears only says what that task is to
    look at. Words may be lost with a connection: every two seconds all of it is looked at.

    Args:
        url: Redis.
        node: This node's name, unlike any other's.
        hub: Where frames pass here.
        senders: Those of this node.

    Raises:
        ValueError: The URL is none.
    """

    def __init__(self, url: str, node: str, hub: Hub, senders: Senders) -> None:
        from_url: Any = Redis.from_url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        # No second attempt behind our back: a node that has lost Redis takes everything up again, in order. RESP 2,
        # because what is subscribed to comes as plain answers there.
        self._redis: Any = from_url(
            url,
            socket_connect_timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            client_name=f"stagedoor-{node}",
        )
        self._names = Names(int(self._redis.connection_pool.connection_kwargs.get("db", 0)))
        self._node = node
        self._hub = hub
        self._senders = senders
        self._claims = Claims(self._redis, self._names)
        self._publisher = FramePublisher(self._redis, self._names)
        self._subscriber: RedisSubscriber | None = None
        self._asking = asyncio.Semaphore(_ASKERS)
        self._mine: dict[str, _Mine] = {}
        self._contested: set[str] = set()
        self._users: Counter[str] = Counter()
        self._watched: dict[str, RemoteStream] = {}
        self._subscribed: set[str] = set()
        self._heard: set[str] = set()
        self._doubtful: set[str] = set()
        self._wake = asyncio.Event()
        self._outage_log = RedisOutageLog()
        senders.listen(self._wake.set)

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """The ids of the cameras that send to other nodes, by room; none while Redis can't be asked."""
        try:
            async with self._asking:
                claims = await self._claims.of(list(livekit_rooms)) if self._subscriber is not None else {}
        except (RedisError, OSError):
            return {}  # the task that keeps in touch meets the same, and says so
        return {room: claim.camera for room, claim in claims.items() if claim.node != self._node}

    @asynccontextmanager
    async def watch(self, livekit_room: str, settings: AppSettings) -> AsyncGenerator[None]:
        """Have the room's frames here while the context lasts, whichever node its camera sends to."""
        with self._hub.slot(livekit_room) as slot:
            self._users[livekit_room] += 1
            if livekit_room not in self._watched:
                self._watched[livekit_room] = RemoteStream(slot, settings)
                # It may be subscribed to from a moment ago, and then nothing else has it looked up.
                self._doubt(livekit_room)
            try:
                yield
            finally:
                self._users[livekit_room] -= 1
                if not self._users[livekit_room]:
                    del self._users[livekit_room], self._watched[livekit_room]
                    self._wake.set()

    async def run(self) -> None:
        """Keep in touch with the other nodes, and take up again what Redis lost; say goodbye when cancelled."""
        backoff = Backoff(0.2, 2.0, 10.0)
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                try:
                    await self._converse()
                except* (RedisError, OSError) as errors:
                    self._outage_log.came(errors)
                await asyncio.sleep(backoff.after(clock() - began))
        finally:
            with suppress(RedisError, OSError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._withdraw(list(self._mine))
            await self._redis.aclose()

    async def _converse(self) -> None:
        """Until Redis is lost."""
        subscriber = RedisSubscriber(self._redis)
        try:
            await subscriber.subscribe(self._names.talk)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(subscriber), name="relay listens")
                tasks.create_task(self._follow(subscriber), name="relay follows")
                tasks.create_task(self._publisher.run(), name="relay sends")
        finally:
            self._subscriber = None
            self._subscribed.clear()
            self._heard.clear()
            for room, watched in self._watched.items():
                if self._senders.find(room) is None:
                    watched.lose()
            with suppress(RedisError, OSError):
                await subscriber.close()
                await self._redis.connection_pool.disconnect()

    async def _listen(self, subscriber: RedisSubscriber) -> None:
        async for kind, channel, content in subscriber.messages():
            if kind == "message" and channel == self._names.talk:
                self._hear(messages.word(content))
            elif kind == "message":
                self._arrived(self._names.room(channel), content)
            elif kind == "subscribe" and channel != self._names.talk:
                self._heard.add(self._names.room(channel))
                self._doubt(self._names.room(channel))

    def _arrived(self, room: str, message: bytes) -> None:
        watched = self._watched.get(room)
        if watched is not None and self._senders.find(room) is None:
            frame = messages.unpack(message)
            if frame is not None:
                watched.take(frame)

    def _hear(self, word: Message | None) -> None:
        if word is None or word.node == self._node:
            return
        if word.what == "want":
            self._feed(word.room)
            return
        if word.what == "came" and word.room in self._mine:
            self._contested.add(word.room)
            self._wake.set()
        watched = self._watched.get(word.room)
        if watched is not None and self._senders.find(word.room) is None:
            watched.hear(word)
            self._doubt(word.room)

    def _doubt(self, room: str) -> None:
        """Have it looked up who sends to it."""
        self._doubtful.add(room)
        self._wake.set()

    async def _follow(self, subscriber: RedisSubscriber) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            self._wake.clear()
            await self._announce()
            await self._subscribe(subscriber)
            if clock() >= due:
                due = clock() + _RENEW_SECONDS
                await subscriber.ping()
                self._contested.update(self._mine)
                self._doubtful.update(self._heard)
                await self._offer(list(self._mine))
            await self._keep()
            await self._look()
            if self._subscriber is None:
                self._subscriber = subscriber
                self._outage_log.went()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()

    async def _announce(self) -> None:
        """Tell the others which cameras came and went here."""
        current = {sender.room: sender for sender in self._senders.current()}
        gone = [room for room in self._mine if room not in current]
        came = {room: sender for room, sender in current.items() if not self._is_mine(sender)}
        if gone:
            await self._withdraw(gone)
        if came:
            await self._claim(came)

    def _is_mine(self, sender: Sender) -> bool:
        mine = self._mine.get(sender.room)
        return mine is not None and mine.sender is sender

    async def _claim(self, came: dict[str, Sender]) -> None:
        claims = {room: Claim(self._node, sender.source.id, messages.new_token()) for room, sender in came.items()}
        for room in came:
            self._publisher.stop(room)
        politely = {room for room, sender in came.items() if not sender.source.replaces}
        refused = await self._claims.take(claims, politely)
        for room in refused:
            # It came to another node at the same moment, and there first.
            self._mine.pop(room, None)
            self._senders.evict(came[room], REPLACED)
        taken = {room: claim for room, claim in claims.items() if room not in refused}
        self._mine |= {room: _Mine(came[room], claim) for room, claim in taken.items()}
        await self._say("came", {room: claim.token for room, claim in taken.items()})
        await self._offer(taken)

    async def _withdraw(self, rooms: Iterable[str]) -> None:
        gone = {room: self._mine.pop(room).claim for room in rooms}
        if gone:
            for room in gone:
                self._publisher.stop(room)
            await self._claims.drop(gone)
            await self._say("went", {room: claim.token for room, claim in gone.items()})

    async def _keep(self) -> None:
        """Hold on to what is ours, and let go of cameras that send to another node meanwhile."""
        contested = {room: self._mine[room] for room in self._contested if room in self._mine}
        self._contested.clear()
        if not contested:
            return
        for room in await self._claims.keep({room: mine.claim for room, mine in contested.items()}):
            self._publisher.stop(room)
            self._senders.evict(contested[room].sender, REPLACED)

    async def _subscribe(self, subscriber: RedisSubscriber) -> None:
        """Listen to those rooms alone that are looked at here and that no camera of ours sends to."""
        wanted = {room for room in self._watched if self._senders.find(room) is None}
        if over := self._subscribed - wanted:
            self._subscribed -= over
            self._heard -= over
            await subscriber.unsubscribe(*(self._names.frames(room) for room in over))
        if fresh := wanted - self._subscribed:
            self._subscribed |= fresh
            await subscriber.subscribe(*(self._names.frames(room) for room in fresh))

    async def _look(self) -> None:
        """Find out who sends to the rooms that we hear, and have it sent to us."""
        rooms = self._doubtful & self._heard
        self._doubtful.clear()
        looked = {room: (watched, watched.words) for room, watched in self._watched.items() if room in rooms}
        claims = await self._claims.of(list(looked))
        wanted: dict[str, str] = {}
        for room, (watched, words) in looked.items():
            if self._watched.get(room) is not watched or self._senders.find(room) is not None:
                continue
            if watched.words != words:
                continue  # it was said meanwhile, and is looked up anew
            claim = claims.get(room)
            if claim is None or claim.node == self._node:
                watched.lose()
            elif watched.follow(claim.token):
                wanted[room] = claim.token
        await self._say("want", wanted)

    async def _offer(self, rooms: Collection[str]) -> None:
        """Send what other nodes have subscribed to already."""
        if not rooms:
            return
        listened: list[tuple[bytes, int]] = await self._redis.pubsub_numsub(
            *(self._names.frames(room) for room in rooms)
        )
        for channel, count in listened:
            if count:
                self._feed(self._names.room(channel.decode()))

    def _feed(self, room: str) -> None:
        mine = self._mine.get(room)
        if mine is not None and self._senders.find(room) is mine.sender:
            self._publisher.feed(mine.sender, mine.claim.token)

    async def _say(self, what: Literal["came", "went", "want"], tokens: dict[str, str]) -> None:
        if tokens:
            pipe = self._redis.pipeline(transaction=False)
            for room, token in tokens.items():
                pipe.publish(self._names.talk, msgspec.json.encode(Message(what, self._node, room, token)))
            await pipe.execute()
