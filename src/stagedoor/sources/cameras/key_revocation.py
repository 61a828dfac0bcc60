"""Ends the connections of cameras whose key was revoked, through this node or another one."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from stagedoor.kernel.errors import StorageUnavailable
from stagedoor.sources.cameras import store
from stagedoor.sources.cameras.close_codes import REVOKED
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.storage import Database

_log = structlog.get_logger()
_LOOK_SECONDS: Final = 5.0
"""The interval of checks, after which a change through another node is noticed."""


class KeyRevocation:
    """Checks the keys of live cameras: every few seconds, and at once when a camera or an app changed on this node."""

    def __init__(self, database: Database, cameras: LiveCameras) -> None:
        self._database = database
        self._cameras = cameras
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Request a check now, because a camera or an app has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                pass  # this node is not notified of changes through another node
            self._asked.clear()
            try:
                await self._check()
            except StorageUnavailable as error:
                _log.warning("camera_keys_unavailable", error=str(error))

    async def _check(self) -> None:
        sending = self._cameras.current()
        if not sending:
            return
        ids = [live.camera.id for live in sending]
        valid = await self._database.read(lambda tx: store.digests_of(tx, ids))
        for live in sending:
            if valid.get(live.camera.id) != live.digest:
                live.close(REVOKED)
