"""The compositions of this node: one for each room that is used, however many use it, and on one node alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from stagedoor.access.mint import own_token
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, StorageUnavailable, Unavailable
from stagedoor.mediaserver.endpoint import http_url
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outputs.composition import store
from stagedoor.outputs.composition.settings import SIZES, CompositionSettings
from stagedoor.storage import Database
from stagedoor.streams.media.protocol import CompositionInput, PublishTarget, Report
from stagedoor.streams.media.stream import MediaStream, StreamSpec
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()

_RENEW_SECONDS: Final = 3.0
"""Three renewals may fail before another node may take a room over."""
_EMPTY_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Composition:
    stream: MediaStream
    users: set[str] = field(default_factory=set[str])


class Compositions:
    """Composes rooms in media workers.

    Args:
        database: Has the leases.
        gateway: Says who publishes in a room, and where LiveKit is.
        workers: Compose; what is more than this machine can take is refused by them.
        node: This process's name among several.
    """

    def __init__(self, database: Database, gateway: LiveKitGateway, workers: MediaWorkers, node: str) -> None:
        self._database = database
        self._gateway = gateway
        self._workers = workers
        self._node = node
        self._running: dict[str, _Composition] = {}
        self._starting: dict[str, asyncio.Task[_Composition]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def use(self, app: App, livekit_room: str, user: str) -> MediaStream:
        """The composed stream of a room, which begins now if it has not. It ends by itself when the room is empty.

        Args:
            app: Whose room it is; its settings say how it is composed.
            livekit_room: The room.
            user: Names who uses it, until `leave`.

        Raises:
            NotFound: No participant publishes there.
            Unavailable: The machine is full, another node composes the room, or LiveKit does not answer.
            StorageUnavailable: The lease cannot be taken now.
        """
        self._workers.prepare()
        found = self._running.get(livekit_room)
        if found is None:
            task = self._starting.get(livekit_room)
            if task is None:
                task = self._starting[livekit_room] = asyncio.create_task(
                    self._start(app, livekit_room), name=f"compose {livekit_room}"
                )
                task.add_done_callback(lambda _: self._starting.pop(livekit_room, None))
            found = await asyncio.shield(task)
        found.users.add(user)
        return found.stream

    def leave(self, livekit_room: str, user: str) -> None:
        """A user needs the room no more; with the last one it is no longer composed."""
        found = self._running.get(livekit_room)
        if found is None:
            return
        found.users.discard(user)
        if not found.users:
            self._stop(livekit_room, found)

    async def run(self) -> None:
        """Keep the leases until cancelled; then end all."""
        try:
            while True:
                await asyncio.sleep(_RENEW_SECONDS)
                try:
                    await self._renew()
                except StorageUnavailable as error:
                    _log.warning("compositions_not_renewed", error=str(error))
        finally:
            for room, one in list(self._running.items()):
                self._stop(room, one)
            if self._ending:
                await asyncio.wait(self._ending)

    async def _renew(self) -> None:
        rooms = list(self._running)
        if not rooms:
            return
        kept = await self._database.write(lambda tx: store.renew(tx, rooms, self._node, now_ms()))
        for room in rooms:
            one = self._running.get(room)
            if room not in kept and one is not None:
                _log.warning("composition_taken_over", room=room)
                self._stop(room, one)

    async def _start(self, app: App, livekit_room: str) -> _Composition:
        await self._refuse_empty(livekit_room)  # before the lease: many ask for what is not there
        holder = await self._database.write(lambda tx: store.claim(tx, livekit_room, self._node, now_ms()))
        if holder != self._node:
            raise Unavailable(
                "Another node composes this room; ask that one.",
                code="composed_elsewhere",
                headers={"Retry-After": "2"},
            )
        try:
            stream = self._workers.open(self._spec(app, livekit_room))
        except Unavailable:
            await self._release(livekit_room)
            raise
        one = self._running[livekit_room] = _Composition(stream)
        stream.task.add_done_callback(lambda _: self._stop(livekit_room, one))
        return one

    async def _refuse_empty(self, livekit_room: str) -> None:
        """To join a room that is over would make another one."""
        participants = await self._gateway.participants(livekit_room)
        if not any(track for one in participants for track in one.tracks):
            raise NotFound("No participant publishes in this room.", code="nothing_to_compose")

    def _spec(self, app: App, livekit_room: str) -> StreamSpec:
        settings, endpoint = app.settings.of(CompositionSettings), self._gateway.endpoint

        async def target() -> PublishTarget:
            await self._refuse_empty(livekit_room)
            return PublishTarget(
                f"{http_url(endpoint.url).rstrip('/')}/whip/v1",
                own_token(endpoint, livekit_room, f"composer.{self._node}"),
            )

        def note(report: Report) -> None:
            _log.debug("composition", room=livekit_room, report=type(report).__name__)

        width, height = SIZES[settings.size]
        order = CompositionInput(width, height, settings.fps, settings.bitrate, settings.layout, _EMPTY_SECONDS)
        return StreamSpec(f"composition of {livekit_room}", order, target, note)

    def _stop(self, livekit_room: str, one: _Composition) -> None:
        if self._running.get(livekit_room) is not one:
            return
        del self._running[livekit_room]
        task = asyncio.create_task(self._end(livekit_room, one), name=f"end of composition {livekit_room}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, livekit_room: str, one: _Composition) -> None:
        await one.stream.stop()
        if livekit_room not in self._running and livekit_room not in self._starting:
            await self._release(livekit_room)

    async def _release(self, livekit_room: str) -> None:
        try:
            await self._database.write(lambda tx: store.release(tx, livekit_room, self._node))
        except StorageUnavailable as error:  # the lease ends by itself
            _log.warning("composition_not_released", room=livekit_room, error=str(error))
