"""Records that a camera went online or offline: as events of the app, and as the time it was last seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.sources.cameras import store
from stagedoor.sources.cameras.live import LiveCamera
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()
_LEAVING_SECONDS: Final = 5.0


class PresenceEvents:
    """Writes the events of cameras in tasks of their own, so that frames never wait for the database."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed
        self._writing: set[asyncio.Task[None]] = set()

    def online(self, live: LiveCamera) -> None:
        """Record that a camera has begun to send."""
        self._write(live, "camera.online", {})

    def offline(self, live: LiveCamera, reason: str) -> None:
        """Record that a camera's connection has ended."""
        detail = {
            "reason": reason,
            "durationMs": now_ms() - live.sender.since,
            "frames": live.intake.frames,
            "dropped": live.intake.dropped,
        }
        self._write(live, "camera.offline", detail)

    async def close(self) -> None:
        """Wait a few seconds for pending writes."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=_LEAVING_SECONDS)

    def _write(self, live: LiveCamera, kind: str, detail: dict[str, str | int]) -> None:
        camera, at = live.camera, now_ms()
        data = {"cameraId": camera.id, "name": camera.name} | detail

        def write(tx: Transaction) -> None:
            store.note_seen(tx, camera.id, at)
            if store.find_camera(tx, camera.app_id, camera.id) is not None:  # or it was deleted, with its app perhaps
                event = NewEvent(camera.app_id, kind, "api", at, camera.livekit_room, camera.identity, None, data)
                self._feed.append(tx, event)

        task = asyncio.create_task(self._store(write), name=kind)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _store(self, write: Callable[[Transaction], None]) -> None:
        try:
            await self._database.write(write)
        except StorageUnavailable as error:
            _log.warning("camera_presence_not_stored", error=str(error))
