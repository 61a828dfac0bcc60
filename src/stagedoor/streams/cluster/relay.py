"""Relays frames between nodes over Redis: a node with viewers subscribes, and only then the camera's node publishes."""

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
_MAX_QUERIES: Final = 8
"""Concurrent queries on behalf of requests: each takes a connection to Redis, and a fleet may reconnect at once."""


@dataclass(frozen=True, slots=True)
class _OwnCamera:
    """A camera that sends to this node, and its claim."""

    sender: Sender
    claim: Claim


class Relay:
    """This node's member of the cluster.

    One task, `_follow`, makes all changes in Redis, in order; messages of other nodes only mark what that task has to
    check. Messages may be lost with a connection, so every two seconds the task checks everything.

    Args:
        url: The URL of Redis.
        node: This node's name, unique in the cluster.
        hub: The slots of this node.
        senders: The senders of this node.

    Attributes:
        _own: The claimed cameras of this node, by room.
        _conflicting: Rooms of `_own` whose claim another node may hold.
        _users: The number of watchers of each watched room.
        _subscribed: Watched rooms whose channel this node has requested.
        _confirmed: Subscribed rooms whose subscription Redis has confirmed.
        _to_verify: Rooms whose claim has to be read again.

    Raises:
        ValueError: The URL is not valid.
    """

    def __init__(self, url: str, node: str, hub: Hub, senders: Senders) -> None:
        from_url: Any = Redis.from_url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        # The client must not retry by itself: a node that has lost Redis starts over, in order. RESP 2, because it
        # delivers messages as plain replies.
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
        self._queries = asyncio.Semaphore(_MAX_QUERIES)
        self._own: dict[str, _OwnCamera] = {}
        self._conflicting: set[str] = set()
        self._users: Counter[str] = Counter()
        self._watched: dict[str, RemoteStream] = {}
        self._subscribed: set[str] = set()
        self._confirmed: set[str] = set()
        self._to_verify: set[str] = set()
        self._wake = asyncio.Event()
        self._outage_log = RedisOutageLog()
        senders.listen(self._wake.set)

    async def senders(self, livekit_rooms: Collection[str]) -> dict[str, str]:
        """The ids of the cameras that send to other nodes, by room; empty while Redis is unavailable."""
        try:
            async with self._queries:
                claims = await self._claims.of(list(livekit_rooms)) if self._subscriber is not None else {}
        except (RedisError, OSError):
            return {}  # `run` meets the same error and logs it
        return {room: claim.camera for room, claim in claims.items() if claim.node != self._node}

    @asynccontextmanager
    async def watch(self, livekit_room: str, settings: AppSettings) -> AsyncGenerator[None]:
        """Receive the room's frames on this node while the context lasts, whichever node its camera sends to."""
        with self._hub.slot(livekit_room) as slot:
            self._users[livekit_room] += 1
            if livekit_room not in self._watched:
                self._watched[livekit_room] = RemoteStream(slot, settings)
                # The room may still be subscribed from an earlier viewer; then no confirmation triggers the check.
                self._verify_later(livekit_room)
            try:
                yield
            finally:
                self._users[livekit_room] -= 1
                if not self._users[livekit_room]:
                    del self._users[livekit_room], self._watched[livekit_room]
                    self._wake.set()

    def watch_this_one(self, livekit_room: str) -> bool:
        """Whether another node has viewers of the camera that sends to the room on this one."""
        return self._publisher.is_feeding(livekit_room)

    async def run(self) -> None:
        """Stay connected, and restore in Redis what an outage lost; when cancelled, report all cameras as offline."""
        backoff = Backoff(0.2, 2.0, 10.0)
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                try:
                    await self._run_connected()
                except* (RedisError, OSError) as errors:
                    self._outage_log.lost(errors)
                await asyncio.sleep(backoff.after(clock() - began))
        finally:
            with suppress(RedisError, OSError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._withdraw(list(self._own))
            await self._redis.aclose()

    async def _run_connected(self) -> None:
        """Exchange messages and frames until the connection to Redis is lost."""
        subscriber = RedisSubscriber(self._redis)
        try:
            await subscriber.subscribe(self._names.control)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(subscriber), name="relay listens")
                tasks.create_task(self._follow(subscriber), name="relay follows")
                tasks.create_task(self._publisher.run(), name="relay sends")
        finally:
            self._subscriber = None
            self._subscribed.clear()
            self._confirmed.clear()
            for room, watched in self._watched.items():
                if self._senders.find(room) is None:
                    watched.lose()
            with suppress(RedisError, OSError):
                await subscriber.close()
                await self._redis.connection_pool.disconnect()

    async def _listen(self, subscriber: RedisSubscriber) -> None:
        async for kind, channel, content in subscriber.messages():
            if kind == "message" and channel == self._names.control:
                self._on_message(messages.decode_message(content))
            elif kind == "message":
                self._on_frame(self._names.room(channel), content)
            elif kind == "subscribe" and channel != self._names.control:
                self._confirmed.add(self._names.room(channel))
                self._verify_later(self._names.room(channel))

    def _on_frame(self, room: str, message: bytes) -> None:
        watched = self._watched.get(room)
        if watched is not None and self._senders.find(room) is None:
            frame = messages.unpack(message)
            if frame is not None:
                watched.take(frame)

    def _on_message(self, message: Message | None) -> None:
        if message is None or message.node == self._node:
            return
        if message.what == "subscribe":
            self._feed(message.room)
            return
        if message.what == "online" and message.room in self._own:
            self._conflicting.add(message.room)
            self._wake.set()
        watched = self._watched.get(message.room)
        if watched is not None and self._senders.find(message.room) is None:
            watched.on_message(message)
            self._verify_later(message.room)

    def _verify_later(self, room: str) -> None:
        """Schedule a check of the room's claim."""
        self._to_verify.add(room)
        self._wake.set()

    async def _follow(self, subscriber: RedisSubscriber) -> None:
        """Keep Redis and this node's subscriptions up to date: when woken, and every `_RENEW_SECONDS` in full."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            self._wake.clear()
            await self._announce()
            await self._subscribe(subscriber)
            if clock() >= due:
                due = clock() + _RENEW_SECONDS
                await subscriber.ping()
                self._conflicting.update(self._own)
                self._to_verify.update(self._confirmed)
                await self._feed_subscribers(list(self._own))
            await self._renew()
            await self._verify()
            if self._subscriber is None:
                self._subscriber = subscriber
                self._outage_log.recovered()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()

    async def _announce(self) -> None:
        """Report to the other nodes which cameras went online and offline on this one."""
        current = {sender.room: sender for sender in self._senders.current()}
        offline = [room for room in self._own if room not in current]
        online = {room: sender for room, sender in current.items() if not self._is_own(sender)}
        if offline:
            await self._withdraw(offline)
        if online:
            await self._claim(online)

    def _is_own(self, sender: Sender) -> bool:
        own = self._own.get(sender.room)
        return own is not None and own.sender is sender

    async def _claim(self, online: dict[str, Sender]) -> None:
        claims = {room: Claim(self._node, sender.source.id, messages.new_token()) for room, sender in online.items()}
        for room in online:
            self._publisher.stop(room)
        unless_taken = {room for room, sender in online.items() if not sender.source.replaces}
        refused = await self._claims.acquire(claims, unless_taken)
        for room in refused:
            # Another camera connected to another node at the same moment, and was first.
            self._own.pop(room, None)
            self._senders.evict(online[room], REPLACED)
        acquired = {room: claim for room, claim in claims.items() if room not in refused}
        self._own |= {room: _OwnCamera(online[room], claim) for room, claim in acquired.items()}
        await self._broadcast("online", {room: claim.token for room, claim in acquired.items()})
        await self._feed_subscribers(acquired)

    async def _withdraw(self, rooms: Iterable[str]) -> None:
        offline = {room: self._own.pop(room).claim for room in rooms}
        if offline:
            for room in offline:
                self._publisher.stop(room)
            await self._claims.release(offline)
            await self._broadcast("offline", {room: claim.token for room, claim in offline.items()})

    async def _renew(self) -> None:
        """Renew this node's claims, and evict cameras whose room another node has claimed meanwhile."""
        conflicting = {room: self._own[room] for room in self._conflicting if room in self._own}
        self._conflicting.clear()
        if not conflicting:
            return
        for room in await self._claims.renew({room: own.claim for room, own in conflicting.items()}):
            self._publisher.stop(room)
            self._senders.evict(conflicting[room].sender, REPLACED)

    async def _subscribe(self, subscriber: RedisSubscriber) -> None:
        """Subscribe to exactly the watched rooms that no camera of this node sends to."""
        wanted = {room for room in self._watched if self._senders.find(room) is None}
        if removed := self._subscribed - wanted:
            self._subscribed -= removed
            self._confirmed -= removed
            await subscriber.unsubscribe(*(self._names.frames(room) for room in removed))
        if added := wanted - self._subscribed:
            self._subscribed |= added
            await subscriber.subscribe(*(self._names.frames(room) for room in added))

    async def _verify(self) -> None:
        """Read which connections send to the subscribed rooms, and request their frames."""
        rooms = self._to_verify & self._confirmed
        self._to_verify.clear()
        checked = {room: (watched, watched.changes) for room, watched in self._watched.items() if room in rooms}
        claims = await self._claims.of(list(checked))
        wanted: dict[str, str] = {}
        for room, (watched, changes) in checked.items():
            if self._watched.get(room) is not watched or self._senders.find(room) is not None:
                continue
            if watched.changes != changes:
                continue  # a message arrived meanwhile, which has scheduled another check
            claim = claims.get(room)
            if claim is None or claim.node == self._node:
                watched.lose()
            elif watched.follow(claim.token):
                wanted[room] = claim.token
        await self._broadcast("subscribe", wanted)

    async def _feed_subscribers(self, rooms: Collection[str]) -> None:
        """Publish the frames of those rooms that other nodes have already subscribed to."""
        if not rooms:
            return
        subscribers: list[tuple[bytes, int]] = await self._redis.pubsub_numsub(
            *(self._names.frames(room) for room in rooms)
        )
        for channel, count in subscribers:
            if count:
                self._feed(self._names.room(channel.decode()))

    def _feed(self, room: str) -> None:
        own = self._own.get(room)
        if own is not None and self._senders.find(room) is own.sender:
            self._publisher.feed(own.sender, own.claim.token)

    async def _broadcast(self, what: Literal["online", "offline", "subscribe"], tokens: dict[str, str]) -> None:
        if tokens:
            pipe = self._redis.pipeline(transaction=False)
            for room, token in tokens.items():
                pipe.publish(self._names.control, msgspec.json.encode(Message(what, self._node, room, token)))
            await pipe.execute()
