"""Supervises the bridges of this node: each camera is in its LiveKit room for as long as it is needed there.

Only the node that a camera sends to bridges it, so nodes need no coordination.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.outputs.webrtc.bridge import Bridge
from stagedoor.outputs.webrtc.join_tokens import JoinTokens, NotReady
from stagedoor.outputs.webrtc.metrics import BRIDGE_RESTARTS
from stagedoor.outputs.webrtc.need import REMOVAL_REASONS, Need
from stagedoor.outputs.webrtc.settings import LINGER_SECONDS, BridgeSettings
from stagedoor.processes.backoff import Backoff
from stagedoor.rooms import presence
from stagedoor.storage import Database
from stagedoor.streams.hub import Slot
from stagedoor.streams.senders import Sender, Senders
from stagedoor.streams.settings import StreamSettings

_log = structlog.get_logger()

RECONNECT_SECONDS: Final = 10.0
"""How long a bridge stays after its camera's connection was lost: the track lives on when the camera connects again. An
end that was decided (idle, disabled, replaced by another camera) ends the bridge at once."""

_GATHER_SECONDS: Final = 0.05
"""How long events are collected before the needs are evaluated, so that one evaluation serves many events."""


@dataclass(slots=True)
class _BridgedRoom:
    """A room that a camera of this node sends to, or sent to a moment ago, whether it is bridged now or not.

    Attributes:
        hold: Keeps the room's slot, so that the camera's next connection publishes to it.
        lost_at: When the camera's connection was lost, on the monotonic clock; `None` while it sends.
    """

    sender: Sender
    need: Need
    hold: ExitStack
    lost_at: float | None = None
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
        reconnect_seconds: How long a bridge stays after its camera's connection was lost.
    """

    def __init__(
        self,
        database: Database,
        feed: Feed,
        senders: Senders,
        join_tokens: JoinTokens,
        *,
        linger_seconds: float = LINGER_SECONDS,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._database = database
        self._senders = senders
        self._join_tokens = join_tokens
        self._linger = linger_seconds
        self._reconnect = reconnect_seconds
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
        changes = [bridged.need.changes_at() for bridged in self._rooms.values()]
        changes += [
            bridged.lost_at + self._reconnect_timeout(bridged) for bridged in self._rooms.values() if bridged.lost_at
        ]
        return min([*(at - now for at in changes if at is not None and at > now), self._database.poll_seconds])

    async def _evaluate(self) -> None:
        cameras = {sender.room: sender for sender in self._senders.current()}
        for room in self._rooms.keys() - cameras.keys():
            if not self._waits_for_camera(self._rooms[room]):
                self._leave(room)
        for room, sender in cameras.items():
            self._assign(room, sender)
        self._apps = {bridged.sender.source.app_id for bridged in self._rooms.values()}
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
        if bridged is not None:
            bridged.lost_at = None
            if bridged.sender is sender:
                return
        if bridged is None or _appearance(bridged.sender) != _appearance(sender):
            if bridged is not None:
                self._leave(room)
            hold = ExitStack()
            hold.enter_context(self._senders.slot(room))
            need = Need(sender.source.settings.of(BridgeSettings).bridge, self._linger)
            self._rooms[room] = _BridgedRoom(sender, need, hold)
        else:
            bridged.sender, bridged.need = sender, bridged.need.reset(sender.source.settings.of(BridgeSettings).bridge)

    def _waits_for_camera(self, bridged: _BridgedRoom) -> bool:
        """Whether the room of a camera that does not send any more is kept for its next connection."""
        if not bridged.busy or bridged.sender.closing.done():
            return False
        now = time.monotonic()
        if bridged.lost_at is None:
            bridged.lost_at = now
        return now - bridged.lost_at < self._reconnect_timeout(bridged)

    def _reconnect_timeout(self, bridged: _BridgedRoom) -> float:
        """A bridge ends before the streams of the slot's viewers do, of which it is one."""
        return min(self._reconnect, bridged.sender.source.settings.of(StreamSettings).resume - 1)

    def _leave(self, room: str) -> None:
        bridged = self._rooms.pop(room)
        self._end(room, bridged)
        bridged.hold.close()

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
