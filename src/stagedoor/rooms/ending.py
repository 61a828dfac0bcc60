"""Ending a session for a caller."""

from __future__ import annotations

import contextlib

from stagedoor.events.feed import Feed
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.errors import Conflict, NotFound
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import limit_jobs, rooms, store
from stagedoor.rooms.nouns import Session
from stagedoor.storage import Transaction


async def end_room(gateway: LiveKitGateway, session: Session) -> None:
    """End the room of a session in LiveKit, if it has started.

    Raises:
        Conflict: The session is over.
        MediaServerFailed: LiveKit did not end it.
    """
    if session.state == "ended":
        raise Conflict("The session is over.", code="session_ended")
    if session.state == "active":
        with contextlib.suppress(NotFound):  # it ended by itself, and its event is on the way
            await gateway.delete_room(session.livekit_room)


def ended(tx: Transaction, feed: Feed, queue: Queue, session: Session) -> None:
    """Record that a caller ended a session: one that waited for its room, or one whose room was ended."""
    if session.state == "created":
        limit_jobs.expire(tx, feed, queue, session.id, asked=True)
        return
    room = store.room_by_livekit_name(tx, session.livekit_room)
    if room is not None:
        rooms.deleted(tx, feed, room, session.id)
