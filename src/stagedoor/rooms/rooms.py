"""Rooms that callers create, change and end."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.kernel.ids import new_id
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import RoomSnapshot
from stagedoor.rooms import machine, store
from stagedoor.rooms.nouns import Moment, Room, Session
from stagedoor.rooms.observe import Observer, ensure_session
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.nouns import App


def get(tx: Transaction, app: App, reference: str) -> tuple[Room, Session | None]:
    """The room, and the session that lives in it.

    Raises:
        NotFound: The app has no such room.
    """
    name = room_names.livekit_name(app.slug, reference)
    room = store.room_by_livekit_name(tx, name)
    if room is None or room.app_id != app.id:
        raise NotFound("There is no such room.", code="room_not_found")
    return room, store.open_session_of_room(tx, name)


async def name_of(database: Database, app: App, reference: str) -> str:
    """The LiveKit name of the room that a reference means, whether it is there or may be new.

    Raises:
        Invalid: There is no such room, and a new one cannot have this name.
    """
    try:
        return room_names.new_livekit_name(app.slug, reference)
    except Invalid:
        return await database.read(lambda tx: known_or_new(tx, app, reference))


def known_or_new(tx: Transaction, app: App, reference: str) -> str:
    """As `name_of`, in a transaction.

    LiveKit lets a client call a new room anything, so a room that is there may have a name that we would not give.

    Raises:
        Invalid: There is no such room, and a new one cannot have this name.
    """
    try:
        return room_names.new_livekit_name(app.slug, reference)
    except Invalid as refused:
        name = room_names.livekit_name(app.slug, reference)
        room = store.room_by_livekit_name(tx, name, with_deleted=True)
        if room is None or room.app_id != app.id:
            raise refused from None
        return name


def created(tx: Transaction, feed: Feed, app: App, livekit_room: str, metadata: str) -> Room:
    """Record a room that a caller created; one that was there before comes back."""
    store.lock_rooms(tx, [livekit_room])
    now = now_ms()
    room = store.room_by_livekit_name(tx, livekit_room, with_deleted=True)
    if room is None:
        room = Room(new_id("room"), app.id, room_names.short_name(livekit_room), livekit_room, metadata, now, now)
    else:
        room = replace(room, metadata=metadata, updated_at=now, deleted_at=None)
    store.save_room(tx, room)
    _say(tx, feed, room, "room.created")
    return room


def announced(tx: Transaction, feed: Feed, queue: Queue, app: App, fact: RoomSnapshot) -> Session:
    """The session of a room that LiveKit has just made for a caller; its webhook will find it here, or was first."""
    store.lock_rooms(tx, [fact.name])
    obs = Observer(tx, feed, queue, "api")
    session = ensure_session(obs, app.id, room_names.short_name(fact.name), fact, Moment(obs.now, "received"))
    obs.flush()
    return session


def updated(tx: Transaction, feed: Feed, room: Room, metadata: str) -> Room:
    """Record new metadata."""
    after = replace(room, metadata=metadata, updated_at=now_ms())
    store.save_room(tx, after)
    _say(tx, feed, after, "room.updated")
    return after


def deleted(tx: Transaction, feed: Feed, room: Room, session_id: str | None) -> None:
    """Record that a caller ended the room, and the session that lived in it; its sessions stay."""
    store.lock_rooms(tx, [room.livekit_room])
    now = now_ms()
    session = store.session_by_id(tx, room.app_id, session_id) if session_id else None
    if session is not None:
        store.update_session(tx, machine.terminated(session))
    store.save_room(tx, replace(room, deleted_at=now, updated_at=now))
    _say(tx, feed, room, "room.deleted", session)


async def end_all(gateway: LiveKitGateway, app: App) -> None:
    """End every room of the app that LiveKit has, known to us or not."""
    for room in await gateway.rooms():
        place = room_names.split(room.name)
        if place is not None and place[0] == app.slug:
            with contextlib.suppress(NotFound):  # it ended by itself meanwhile
                await gateway.delete_room(room.name)


def _say(tx: Transaction, feed: Feed, room: Room, type_: str, session: Session | None = None) -> None:
    session = session or store.open_session_of_room(tx, room.livekit_room)
    feed.append(
        tx,
        NewEvent(
            room.app_id,
            type_,
            "api",
            now_ms(),
            room.livekit_room,
            room.livekit_room,
            session.id if session else None,
            {"metadata": room.metadata} if room.metadata else {},
        ),
    )
