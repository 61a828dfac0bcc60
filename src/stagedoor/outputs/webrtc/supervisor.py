"""Supervises the bridges of this node: each camera is in its LiveKit room for as long as it is needed there.

Only the node that a camera sends to bridges it, so nodes need no coordination.
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
from stagedoor.outputs.webrtc.need import LINGER_SECONDS, REMOVAL_REASONS, Need
from stagedoor.outputs.webrtc.settings import BridgeSettings
from stagedoor.processes.backoff import Backoff
from stagedoor.rooms import presence
from stagedoor.storage import Database
from stagedoor.streams.hub import Slot
from stagedoor.streams.senders import Sender, Senders

_log = structlog.get_logger()

_GATHER_SECONDS: Final = 0.05
"""How long events are collected before the needs are evaluated, so that one evaluation serves many events."""


@dataclass(slots=True)
class _BridgedRoom:
    """A room that a camera of this node sends to, whether it is bridged now or not."""

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
        database: Stores which participants are in a room.
        feed: Calls back when an app has new events.
        senders: The senders of this node.
        join_tokens: Makes the orders with which cameras join.
        linger_seconds: How long a bridge stays after the last other participant has left.
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
        self._rooms: dict[str, _BridgedRoom] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._apps: set[str] = set()
        senders.listen(self._woken.set)
        feed.listen(self._on_event)

    def is_bridged(self, livekit_room: str) -> bool:
        """Whether the room's camera is published as a LiveKit track now."""
        bridged = self._rooms.get(livekit_room)
        return bridged is not None and bridged.bridge is not None and bridged.bridge.published

    async def run(self) -> None:
        """Start and end bridges until cancelled; then end all of them."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._evaluate()
                except StorageUnavailable as error:
                    _log.warning("bridge_demand_unavailable", error=str(error))
                try:
                    async with asyncio.timeout(self._timeout()):
                        await self._woken.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
                except TimeoutError:
                    pass  # this node is not notified of the events that another node writes
        finally:
            for room in list(self._rooms):
                self._leave(room)
            if self._leaving:
                await asyncio.wait(self._leaving.values())

    def _on_event(self, app_id: str) -> None:
        if app_id in self._apps:
            self._woken.set()

    def _timeout(self) -> float:
        now = time.monotonic()
        changes = [
            at - now for bridged in self._rooms.values() if (at := bridged.need.changes_at()) is not None and at > now
        ]
        return min([*changes, self._database.poll_seconds])

    async def _evaluate(self) -> None:
        cameras = {sender.room: sender for sender in self._senders.current()}
        self._apps = {sender.source.app_id for sender in cameras.values()}
        for room in self._rooms.keys() - cameras.keys():
            self._leave(room)
        for room, sender in cameras.items():
            self._assign(room, sender)
        rooms = [room for room, bridged in self._rooms.items() if bridged.need.policy != "off"]
        present = await self._database.read(lambda tx: presence.present(tx, rooms)) if rooms else []
        for room, bridged in list(self._rooms.items()):
            identity = bridged.sender.source.identity
            occupied = {sid for where, sid, who in present if where == room and who != identity}
            needed = bridged.need.evaluate(time.monotonic(), occupied)
            if needed and not bridged.busy:
                before = self._leaving.get(room)
                bridged.task = asyncio.create_task(self._run_bridge(bridged, before), name=f"bridge {room}")
            elif not needed and bridged.busy:
                self._end(room, bridged)

    def _assign(self, room: str, sender: Sender) -> None:
        """Assign the room to this sender. A camera that connects again while it sends keeps its bridge."""
        bridged = self._rooms.get(room)
        if bridged is not None and bridged.sender is sender:
            return
        if bridged is None or _appearance(bridged.sender) != _appearance(sender):
            if bridged is not None:
                self._leave(room)
            self._rooms[room] = _BridgedRoom(
                sender, Need(sender.source.settings.of(BridgeSettings).bridge, self._linger)
            )
        else:
            bridged.sender, bridged.need = sender, bridged.need.reset(sender.source.settings.of(BridgeSettings).bridge)

    def _leave(self, room: str) -> None:
        self._end(room, self._rooms.pop(room))

    def _end(self, room: str, bridged: _BridgedRoom) -> None:
        if bridged.task is None or bridged.task.done():
            return
        leaving = self._leaving[room] = bridged.task
        bridged.task = None

        def left(task: asyncio.Task[None]) -> None:
            if self._leaving.get(room) is task:
                del self._leaving[room]

        leaving.add_done_callback(left)
        leaving.cancel()

    async def _run_bridge(self, bridged: _BridgedRoom, before: asyncio.Task[None] | None) -> None:
        """Bridge the camera, restarting its process with backoff, until cancelled or removed from the room."""
        if before is not None:
            await asyncio.wait([before])
        backoff = Backoff()
        source = bridged.sender.source
        while True:
            began = time.monotonic()
            try:
                order = await self._join_tokens.order(bridged.sender)
            except (NotReady, Problem, StorageUnavailable) as error:
                _log.info("bridge_not_started", camera=source.id, reason=str(error))
                await asyncio.sleep(backoff.after(0))
                continue
            bridge = bridged.bridge = Bridge(order, bridged.sender.slot)
            _log.info("bridge_started", camera=source.id, room=source.room)
            try:
                reason = await bridge.run()
            except OSError as error:
                reason = str(error)
            finally:
                bridged.bridge = None
                _log.info("bridge_ended", camera=source.id, room=source.room)
            if reason in REMOVAL_REASONS:
                _log.info("bridge_removed_from_room", camera=source.id, reason=reason)
                bridged.need.on_removed(bridge.room_sid)
                self._woken.set()
                return
            BRIDGE_RESTARTS.inc()
            _log.warning("bridge_exited", camera=source.id, reason=reason)
            await asyncio.sleep(backoff.after(time.monotonic() - began))


def _appearance(sender: Sender) -> tuple[str, str, str, Slot]:
    """What identifies a camera's participant: a bridge is kept only while all of it is unchanged."""
    return sender.source.id, sender.source.identity, sender.source.name, sender.slot
