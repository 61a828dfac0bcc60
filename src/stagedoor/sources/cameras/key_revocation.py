"""Ends the connections of cameras whose key is not good any more, wherever it was changed."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.sources.cameras import store
from stagedoor.sources.cameras.closing import REVOKED
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.storage import Database

_log = structlog.get_logger()
_LOOK_SECONDS: Final = 5.0
"""A change that was made through another node is noticed after so long."""


class KeyRevocation:
    """Looks at the cameras that send, now and then, and at once when something has changed here."""

    def __init__(self, database: Database, cameras: LiveCameras) -> None:
        self._database = database
        self._cameras = cameras
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look now: a camera or an app has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                pass  # another node's changes ask nobody here
            self._asked.clear()
            try:
                await self._look()
            except StorageUnavailable as error:
                _log.warning("camera_keys_unavailable", error=str(error))

    async def _look(self) -> None:
        sending = self._cameras.current()
        if not sending:
            return
        ids = [live.camera.id for live in sending]
        good = await self._database.read(lambda tx: store.digests_of(tx, ids))
        for live in sending:
            if good.get(live.camera.id) != live.digest:
                live.close(REVOKED)
