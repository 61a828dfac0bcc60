"""The HLS of all rooms of this node: begins with the first request, and ends when no viewer is there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from stagedoor.access.admission import Admission
from stagedoor.kernel.errors import NotFound, Problem, StorageUnavailable, Unavailable
from stagedoor.outputs.composition.compositions import Compositions
from stagedoor.outputs.frames.readmission import ReadApps
from stagedoor.outputs.hls.composed import Publishers, RoomComposition
from stagedoor.outputs.hls.metrics import HLS_BYTES, HLS_ROOMS, HLS_WAITING
from stagedoor.outputs.hls.room import HlsRoom
from stagedoor.outputs.hls.settings import HlsSettings
from stagedoor.outputs.hls.viewers import HlsViewers
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App
from stagedoor.usage.running_meters import RunningMeters

_log = structlog.get_logger()
_SWEEP_SECONDS: Final = 1.0
_APPS_SECONDS: Final = 3.0
"""How long an app is not read again: as long as viewers of frames that are no longer admitted go on."""
_MOST_APPS: Final = 1_000


def no_source() -> NotFound:
    """Nothing is sent to the room that its HLS could show."""
    return NotFound(
        "Nothing is sent to this room that HLS can show; ask again in some seconds.",
        code="no_source",
        headers={"Retry-After": "2"},
    )


class HlsRooms:
    """The HLS of this node.

    Args:
        workers: Have the streams of rooms.
        running: Meters how long each viewer watches.
        max_bytes: Of all windows; at the bound no further room begins.
        compositions: Compose what one stream does not show.
        publishers: The identities of those that publish in a room, by its LiveKit name.
        is_pulled: Whether media comes by itself to an app's room, by the app's id and the room's LiveKit name.
        app_of: The app of a room, by the room's LiveKit name.
    """

    def __init__(
        self,
        workers: MediaWorkers,
        running: RunningMeters,
        max_bytes: int,
        is_pulled: Callable[[str, str], Awaitable[bool]],
        app_of: Callable[[str], Awaitable[App | None]],
        compositions: Compositions,
        publishers: Publishers,
    ) -> None:
        self._compositions = compositions
        self._publishers = publishers
        self._workers = workers
        self._running = running
        self._max_bytes = max_bytes
        self._is_pulled = is_pulled
        self._app_of = app_of
        self._beginning: set[asyncio.Task[None]] = set()
        self._rooms: dict[str, HlsRoom] = {}
        self._reached = 0
        self._apps: ReadApps = {}
        self._apps_at = 0.0
        self._closed = False
        self._looks: set[asyncio.Task[None]] = set()
        workers.listen(self._follow)

    def is_watched(self, livekit_room: str) -> bool:
        """Whether a viewer watches a room by HLS, or did a short time ago."""
        room = self._rooms.get(livekit_room)
        return room is not None and room.watched

    def find(self, livekit_room: str) -> HlsRoom | None:
        """The HLS of a room, if it has begun."""
        return self._rooms.get(livekit_room)

    async def room(self, admission: Admission) -> HlsRoom:
        """The HLS of a room, which begins now if it has not.

        Raises:
            NotFound: Nothing is sent to the room, or its app has no HLS.
            Unavailable: The memory for HLS is full, the room cannot be composed now, or Stagedoor is stopping.
        """
        room, settings = admission.livekit_room, admission.app.settings.of(HlsSettings)
        if settings.start == "off":
            raise NotFound("The app has no HLS: its setting hlsStart is off.", code="hls_off")
        found = self._rooms.get(room)
        if found is None:
            if not (
                self._workers.streams_to(room)
                or await self._is_pulled(admission.app.id, room)
                or await self._publishers(room)
            ):
                raise no_source()
            found = self._rooms.get(room) or self._begin(admission.app, room)
        found.use()
        if not found.live:
            await found.look()
        return found

    def apps(self) -> ReadApps:
        """Apps that were read a moment ago; those that are read now are added."""
        now = time.monotonic()
        if now - self._apps_at > _APPS_SECONDS or len(self._apps) > _MOST_APPS:
            self._apps, self._apps_at = {}, now
        return self._apps

    async def run(self) -> None:
        """End what no viewer watches, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for name, room in list(self._rooms.items()):
                room.viewers.sweep()
                if room.idle:
                    self._end(name)
                else:
                    self._look(room)
            HLS_ROOMS.set(len(self._rooms))
            HLS_BYTES.set(self._bytes)
            HLS_WAITING.set(sum(room.waiters.count for room in self._rooms.values()))

    def close(self) -> None:
        """End all, because Stagedoor stops."""
        self._closed = True
        for task in self._beginning:
            task.cancel()
        for name in list(self._rooms):
            self._end(name)

    @property
    def _bytes(self) -> int:
        return sum(room.window.bytes for room in self._rooms.values())

    def _begin(self, app: App, name: str) -> HlsRoom:
        if self._closed:
            raise Unavailable("Stagedoor is stopping; ask again in a moment.", code="stopping")
        if self._bytes >= self._max_bytes:
            raise Unavailable(
                "The memory for HLS is full. Try again later; the operator can raise the setting hls_max_bytes.",
                code="hls_memory_full",
            )
        viewers, settings = HlsViewers(app.id, name, self._running), app.settings.of(HlsSettings)
        composition = RoomComposition(self._compositions, self._publishers, app, name)
        made = self._rooms[name] = HlsRoom(name, settings, self._workers, viewers, self._reached, composition)
        return made

    def _end(self, name: str) -> None:
        room = self._rooms.pop(name)
        self._reached = max(self._reached, room.window.next_number + 1)
        room.close()

    def _look(self, room: HlsRoom) -> None:
        async def look() -> None:
            with contextlib.suppress(Problem):  # who asks for the room is answered it
                await room.look()

        task = asyncio.create_task(look(), name="look at a room of hls")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    def _follow(self, livekit_room: str) -> None:
        room = self._rooms.get(livekit_room)
        if room is not None:
            room.follow()
        elif self._workers.streams_to(livekit_room) and not self._closed:
            task = asyncio.create_task(self._begin_always(livekit_room), name=f"hls {livekit_room}")
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin_always(self, livekit_room: str) -> None:
        """Begin with the source, where the app says so."""
        try:
            app = await self._app_of(livekit_room)
            always = app is not None and app.settings.of(HlsSettings).start == "always"
            if app is not None and always and livekit_room not in self._rooms:
                self._begin(app, livekit_room)
        except (StorageUnavailable, Unavailable) as error:
            _log.warning("hls_not_begun", room=livekit_room, reason=str(error))
