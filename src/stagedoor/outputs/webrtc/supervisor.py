"""Keeps the cameras of this node in their LiveKit rooms for as long as they are needed there.

Only the node that a camera sends to bridges it, so nodes need not agree on anything.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.outputs.webrtc.bridge import Bridge
from stagedoor.outputs.webrtc.join_tokens import JoinTokens, NotReady
from stagedoor.outputs.webrtc.metrics import BRIDGE_RESTARTS
from stagedoor.outputs.webrtc.need import LINGER_SECONDS, SENT_AWAY, Need
from stagedoor.outputs.webrtc.settings import BridgeSettings
from stagedoor.processes.backoff import Backoff
from stagedoor.rooms import presence
from stagedoor.storage import Database
from stagedoor.streams.hub import Slot
from stagedoor.streams.senders import Sender, Senders

_log = structlog.get_logger()

_GATHER_SECONDS: Final = 0.05
"""In a busy app one look serves many events."""


@dataclass(slots=True)
class _Post:
    """A room to which a camera of ours sends."""

    sender: Sender
    need: Need
    task: asyncio.Task[None] | None = None
    bridge: Bridge | None = None

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()


class Bridges:
    """Starts and ends bridges.

    Args:
        database: Where it is seen who is in a room.
        feed: Says when that has changed.
        senders: Those of this node.
        tickets: How they join.
        linger_seconds: How long a bridge stays after the last one has left.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        senders: Senders,
        join_tokens: JoinTokens,
        *,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._database = database
        self._senders = senders
        self._join_tokens = join_tokens
        self._linger = linger_seconds
        self._woken = asyncio.Event()
        self._posts: dict[str, _Post] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._apps: set[str] = set()
        senders.listen(self._woken.set)
        feed.listen(self._happened)

    def is_bridged(self, livekit_room: str) -> bool:
        """Whether the picture of the room's camera is a track in LiveKit now."""
        post = self._posts.get(livekit_room)
        return post is not None and post.bridge is not None and post.bridge.published

    async def run(self) -> None:
        """Keep them until cancelled; then all of them leave."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._look()
                except StorageUnavailable as error:
                    _log.warning("bridge_demand_unavailable", error=str(error))
                try:
                    async with asyncio.timeout(self._patience()):
                        await self._woken.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
                except TimeoutError:
                    pass  # another node's events wake nobody here
        finally:
            for room in list(self._posts):
                self._leave(room)
            if self._leaving:
                await asyncio.wait(self._leaving.values())

    def _happened(self, app_id: str) -> None:
        if app_id in self._apps:
            self._woken.set()

    def _patience(self) -> float:
        now = time.monotonic()
        changes = [at - now for post in self._posts.values() if (at := post.need.changes_at()) is not None and at > now]
        return min([*changes, self._database.poll_seconds])

    async def _look(self) -> None:
        cameras = {sender.room: sender for sender in self._senders.current()}
        self._apps = {sender.source.app_id for sender in cameras.values()}
        for room in self._posts.keys() - cameras.keys():
            self._leave(room)
        for room, sender in cameras.items():
            self._man(room, sender)
        rooms = [room for room, post in self._posts.items() if post.need.policy != "off"]
        present = await self._database.read(lambda tx: presence.present(tx, rooms)) if rooms else []
        for room, post in list(self._posts.items()):
            identity = post.sender.source.identity
            lives = {sid for where, sid, who in present if where == room and who != identity}
            needed = post.need.look(time.monotonic(), lives)
            if needed and not post.busy:
                before = self._leaving.get(room)
                post.task = asyncio.create_task(self._keep(post, before), name=f"bridge {room}")
            elif not needed and post.busy:
                self._end(room, post)

    def _man(self, room: str, sender: Sender) -> None:
        """See that the post is this camera's. A camera that connects again while it sends keeps its bridge."""
        post = self._posts.get(room)
        if post is not None and post.sender is sender:
            return
        if post is None or _appearance(post.sender) != _appearance(sender):
            if post is not None:
                self._leave(room)
            self._posts[room] = _Post(sender, Need(sender.source.settings.of(BridgeSettings).bridge, self._linger))
        else:
            post.sender, post.need = sender, post.need.anew(sender.source.settings.of(BridgeSettings).bridge)

    def _leave(self, room: str) -> None:
        self._end(room, self._posts.pop(room))

    def _end(self, room: str, post: _Post) -> None:
        if post.task is None or post.task.done():
            return
        leaving = self._leaving[room] = post.task
        post.task = None

        def left(task: asyncio.Task[None]) -> None:
            if self._leaving.get(room) is task:
                del self._leaving[room]

        leaving.add_done_callback(left)
        leaving.cancel()

    async def _keep(self, post: _Post, before: asyncio.Task[None] | None) -> None:
        """Be in the room, again and again, until cancelled or sent away."""
        if before is not None:
            await asyncio.wait([before])
        backoff = Backoff()
        source = post.sender.source
        while True:
            began = time.monotonic()
            try:
                order = await self._join_tokens.order(post.sender)
            except (NotReady, Problem, StorageUnavailable) as error:
                _log.info("bridge_not_started", camera=source.id, reason=str(error))
                await asyncio.sleep(backoff.after(0))
                continue
            bridge = post.bridge = Bridge(order, post.sender.slot)
            _log.info("bridge_started", camera=source.id, room=source.room)
            try:
                reason = await bridge.run()
            except OSError as error:
                reason = str(error)
            finally:
                post.bridge = None
                _log.info("bridge_ended", camera=source.id, room=source.room)
            if reason in SENT_AWAY:
                _log.info("bridge_removed_from_room", camera=source.id, reason=reason)
                post.need.sent_away(bridge.room_sid)
                self._woken.set()
                return
            BRIDGE_RESTARTS.inc()
            _log.warning("bridge_exited", camera=source.id, reason=reason)
            await asyncio.sleep(backoff.after(time.monotonic() - began))


def _appearance(sender: Sender) -> tuple[str, str, str, Slot]:
    """What a bridge was made for."""
    return sender.source.id, sender.source.identity, sender.source.name, sender.slot
