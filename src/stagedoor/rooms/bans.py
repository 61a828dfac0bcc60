"""Bans: LiveKit does not revoke a join token, so who was removed with a ban is removed again on coming back."""

from __future__ import annotations

from stagedoor.kernel.clock import now_ms, rfc3339
from stagedoor.kernel.errors import Conflict
from stagedoor.kernel.ids import new_id
from stagedoor.rooms import store
from stagedoor.storage import Transaction


def ban(tx: Transaction, app_id: str, livekit_room: str, identity: str, seconds: int) -> int:
    """Keep an identity out of a room; returns until when, in milliseconds since the epoch."""
    now = now_ms()
    store.delete_past_bans(tx, now)
    until = now + seconds * 1000
    store.set_ban(tx, new_id("ban"), app_id, livekit_room, identity, until)
    return until


def refuse_banned(tx: Transaction, livekit_room: str, identity: str) -> None:
    """Raise `Conflict` when the identity is kept out of the room."""
    until = store.banned_until(tx, livekit_room, identity, now_ms())
    if until is not None:
        raise Conflict(
            f"This identity is banned from the room until {rfc3339(until)}.",
            code="identity_banned",
            extra={"until": rfc3339(until)},
        )
