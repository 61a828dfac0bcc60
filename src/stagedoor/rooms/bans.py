"""Bans: LiveKit does not revoke a join token, so who was removed with a ban is removed again on coming back."""

from __future__ import annotations

from typing import Final

from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Conflict, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import bans_store
from stagedoor.storage import Database, GenerationCache, Transaction

MOST_BANS: Final = 10_000
"""Of an app, which are kept in memory."""


class Bans:
    """The bans in force.

    With SQLite this process is the only writer, so they are kept in memory too, for the path that mints tokens. With
    PostgreSQL another node may set one, so each question goes to the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._in_force = GenerationCache[tuple[()], dict[tuple[str, str], int]](database)

    def ban(self, tx: Transaction, app_id: str, livekit_room: str, identity: str, seconds: int) -> int:
        """Keep an identity out of a room; returns until when, in milliseconds since the epoch."""
        now = now_ms()
        bans_store.delete_past_bans(tx, now)
        if bans_store.count_bans(tx, app_id) >= MOST_BANS:
            raise TooMany(
                f"{MOST_BANS} bans of the app are in force; ban for less long, or close the rooms.",
                code="too_many_bans",
                extra={"limit": MOST_BANS},
            )
        until = now + seconds * 1000
        bans_store.set_ban(tx, new_id("ban"), app_id, livekit_room, identity, until)
        tx.after_commit(self._in_force.forget)
        return until

    def lift(self, tx: Transaction, livekit_room: str) -> None:
        """Lift all bans of a room."""
        bans_store.delete_bans_of_room(tx, livekit_room)
        tx.after_commit(self._in_force.forget)

    async def refuse_banned(self, livekit_room: str, identity: str) -> None:
        """Raise `Conflict` when the identity is banned from the room."""
        until = await self._until(livekit_room, identity)
        if until is not None and until > now_ms():
            raise Conflict(
                f"This identity is banned from the room until {rfc3339(until)}.",
                code="identity_banned",
                extra={"until": rfc3339(until)},
            )

    async def _until(self, livekit_room: str, identity: str) -> int | None:
        if not self._database.sole_writer:
            return await self._database.read(lambda tx: bans_store.banned_until(tx, livekit_room, identity, now_ms()))
        in_force = await self._in_force.get((), bans_store.bans_in_force)
        return None if in_force is None else in_force.get((livekit_room, identity))
