"""Removes those who come back into a room that they are banned from."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, Problem, StorageUnavailable
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import bans_store, store
from stagedoor.storage import Database, Transaction

_log = structlog.get_logger()
_WAITING: Final = 10_000


class BanEnforcer:
    """Removes banned participants.

    What is lost with a crash or a LiveKit that does not answer is found again by `sweep`, which each reconcile calls.
    """

    def __init__(self, database: Database, gateway: LiveKitGateway, feed: Feed) -> None:
        self._database = database
        self._gateway = gateway
        self._feed = feed
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(_WAITING)

    def look(self, tx: Transaction, livekit_room: str, identity: str) -> None:
        """Have a participant who joined removed after the commit, if its identity is banned."""
        if bans_store.banned_until(tx, livekit_room, identity, now_ms()) is not None:
            tx.after_commit(lambda: self._put(livekit_room, identity))

    async def sweep(self) -> None:
        """Have each participant removed whose identity is banned from the room."""
        found = await self._database.read(lambda tx: bans_store.banned_and_present(tx, now_ms()))
        for livekit_room, identity in found:
            self._put(livekit_room, identity)

    async def run(self) -> None:
        """Remove until cancelled."""
        while True:
            livekit_room, identity = await self._queue.get()
            try:
                await self._gateway.remove_participant(livekit_room, identity)
                await self._database.write(lambda tx: self._record(tx, livekit_room, identity))  # noqa: B023
            except NotFound:
                continue  # gone by itself
            except (Problem, StorageUnavailable) as error:
                _log.warning("banned_participant_not_removed", error=str(error))

    def _put(self, livekit_room: str, identity: str) -> None:
        if not self._queue.full():
            self._queue.put_nowait((livekit_room, identity))

    def _record(self, tx: Transaction, livekit_room: str, identity: str) -> None:
        session = store.open_session_of_room(tx, livekit_room)
        if session is not None:
            detail = {"because": "ban"}
            self._feed.append(
                tx,
                NewEvent(
                    session.app_id,
                    "participant.removed",
                    "api",
                    now_ms(),
                    livekit_room,
                    identity,
                    session.id,
                    detail,
                ),
            )
