"""Frames of this node's cameras on their way to other nodes: the newest of each room, while somebody listens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from stagedoor.streams.cluster import messages
from stagedoor.streams.cluster.messages import Names
from stagedoor.streams.hub import Frame, Gone
from stagedoor.streams.senders import Sender


@dataclass(slots=True, eq=False)
class _Fed:
    """A room that is listened to elsewhere.

    Attributes:
        next: The frame that is to go; a newer one takes its place while Redis is busy.
        asked: How often somebody said to want it.
    """

    room: str
    sender: Sender
    token: str
    next: Frame | None = None
    asked: int = 1
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class FramePublisher:
    """Sends them all over one connection, as many rooms' at a time as have one: at the most one frame of a room is
    under way, and one waits."""

    def __init__(self, redis: Any, names: Names) -> None:
        self._redis = redis
        self._names = names
        self._fed: dict[str, _Fed] = {}
        self._filled = asyncio.Event()

    def feed(self, sender: Sender, token: str) -> None:
        """Send a camera's frames, from the newest on, until nobody listens."""
        fed = self._fed.get(sender.room)
        if fed is not None and fed.token == token:
            # Who has just begun to listen has not got the newest, and the answer of what is under way may not know it.
            fed.asked += 1
            self._fill(fed, sender.slot.newest)
            return
        self.stop(sender.room)
        fed = self._fed[sender.room] = _Fed(sender.room, sender, token)
        fed.task = asyncio.create_task(self._collect(fed), name=f"relay {sender.room}")

    def stop(self, room: str) -> None:
        """Send no more of a room."""
        fed = self._fed.pop(room, None)
        if fed is not None and fed.task is not None:
            fed.task.cancel()

    async def run(self) -> None:
        """Send, until Redis fails. Raises its errors."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._send([fed for fed in self._fed.values() if fed.next is not None])
        finally:
            for room in list(self._fed):
                self.stop(room)

    async def _collect(self, fed: _Fed) -> None:
        with fed.sender.slot.view() as viewer:
            try:
                while True:
                    self._fill(fed, await viewer.next())
            except Gone:
                if self._fed.get(fed.room) is fed:
                    del self._fed[fed.room]

    def _fill(self, fed: _Fed, frame: Frame | None) -> None:
        if frame is not None:
            fed.next = frame
            self._filled.set()

    async def _send(self, batch: list[_Fed]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        asked = [fed.asked for fed in batch]
        for fed in batch:
            if fed.next is not None:
                pipe.publish(self._names.frames(fed.room), messages.pack(fed.token, fed.next))
                fed.next = None
        listeners: list[int] = await pipe.execute()
        for fed, before, count in zip(batch, asked, listeners, strict=True):
            if not count and fed.asked == before and self._fed.get(fed.room) is fed:
                self.stop(fed.room)
