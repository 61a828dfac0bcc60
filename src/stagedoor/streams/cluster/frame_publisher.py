"""Publishes frames of this node's cameras to other nodes: each room's newest, while a node subscribes to the room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.messages import Names
from stagedoor.streams.hub import EndOfStream, Frame
from stagedoor.streams.senders import Sender


@dataclass(slots=True, eq=False)
class _Feed:
    """A room that another node subscribes to.

    Attributes:
        next: The frame to publish; a newer frame replaces it while Redis is busy.
        requests: The number of requests for the room's frames so far.
    """

    room: str
    sender: Sender
    token: str
    next: Frame | None = None
    requests: int = 1
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class FramePublisher:
    """Publishes the frames of all rooms over one connection, in batches of at most one frame per room; one more frame
    of each room may wait."""

    def __init__(self, redis: Any, names: Names) -> None:
        self._redis = redis
        self._names = names
        self._feeds: dict[str, _Feed] = {}
        self._ready = asyncio.Event()

    def feed(self, sender: Sender, token: str) -> None:
        """Publish a camera's frames, from the newest on, until no node subscribes to its room."""
        feed = self._feeds.get(sender.room)
        if feed is not None and feed.token == token:
            # A new subscriber does not have the newest frame, and the batch in flight may not have counted it.
            feed.requests += 1
            self._queue(feed, sender.slot.newest)
            return
        self.stop(sender.room)
        feed = self._feeds[sender.room] = _Feed(sender.room, sender, token)
        feed.task = asyncio.create_task(self._collect(feed), name=f"relay {sender.room}")

    def is_feeding(self, room: str) -> bool:
        """Whether another node subscribed to the room's frames when the last one was published."""
        return room in self._feeds

    def stop(self, room: str) -> None:
        """Stop publishing a room's frames."""
        feed = self._feeds.pop(room, None)
        if feed is not None and feed.task is not None:
            feed.task.cancel()

    async def run(self) -> None:
        """Publish queued frames until Redis fails; raises Redis's errors."""
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                await self._send([feed for feed in self._feeds.values() if feed.next is not None])
        finally:
            for room in list(self._feeds):
                self.stop(room)

    async def _collect(self, feed: _Feed) -> None:
        with feed.sender.slot.view() as viewer:
            try:
                while True:
                    self._queue(feed, await viewer.next())
            except EndOfStream:
                if self._feeds.get(feed.room) is feed:
                    del self._feeds[feed.room]

    def _queue(self, feed: _Feed, frame: Frame | None) -> None:
        if frame is not None:
            feed.next = frame
            self._ready.set()

    async def _send(self, batch: list[_Feed]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        requests = [feed.requests for feed in batch]
        for feed in batch:
            if feed.next is not None:
                pipe.publish(self._names.frames(feed.room), messages.pack(feed.token, feed.next))
                feed.next = None
        listeners: list[int] = await pipe.execute()
        for feed, before, count in zip(batch, requests, listeners, strict=True):
            if not count and feed.requests == before and self._feeds.get(feed.room) is feed:
                self.stop(feed.room)
