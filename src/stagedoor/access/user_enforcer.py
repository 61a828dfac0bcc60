"""Keeps LiveKit to the record: who is in a room as a user has the permissions of the role, or is removed.

A join token cannot be taken back, and its grants come back with each use of it. So a participant who joined is looked
at, as are all when a role, a membership or an access level has changed, and all users with each reconcile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, Literal

import structlog

from stagedoor.access import room_access, room_access_store
from stagedoor.access.room_roles import RoomRole, same_permissions
from stagedoor.access.user_identities import ROLE_ATTRIBUTE, USER_ATTRIBUTE
from stagedoor.events.feed import Feed
from stagedoor.events.nouns import NewEvent
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Forbidden, NotFound, Problem, StorageUnavailable
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import ParticipantSnapshot, Permissions, ServerState
from stagedoor.rooms import store
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import room_names
from stagedoor.tenancy.store import app_by_slug

_log = structlog.get_logger()
_WAITING: Final = 10_000
_ATTEMPTS: Final = 5

Applied = bool | Literal["not_in_room"]
Due = tuple[RoomRole, Permissions] | str | None
"""Role and permissions that a participant should have, or why it should not be there; `None` of a room of no app."""


class UserEnforcer:
    """Applies the record to LiveKit.

    What is lost with a crash, or with a LiveKit that does not answer, is found again by `sweep`.
    """

    def __init__(self, database: Database, gateway: LiveKitGateway, feed: Feed) -> None:
        self._database = database
        self._gateway = gateway
        self._feed = feed
        self._queue: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue(_WAITING)

    def look(self, tx: Transaction, livekit_room: str, participant: ParticipantSnapshot) -> None:
        """Have a participant who joined looked at after the commit, if it is a user."""
        if USER_ATTRIBUTE in participant.attributes:
            tx.after_commit(lambda: self._put(livekit_room, participant.identity))

    def look_at_user(self, tx: Transaction, user_id: str) -> None:
        """Have a user looked at after the commit in every room that the user is in."""
        for livekit_room, identity in room_access_store.presences_of(tx, user_id):
            tx.after_commit(lambda room=livekit_room, who=identity: self._put(room, who))

    def look_at_room(self, tx: Transaction, livekit_room: str) -> None:
        """Have every user in the room looked at after the commit."""
        tx.after_commit(lambda: self._put(livekit_room, None))

    async def sweep(self, state: ServerState) -> None:
        """Have every user looked at who is not as the record says."""
        for room, people in state.rooms:
            for participant in people:
                user_id = participant.attributes.get(USER_ATTRIBUTE)
                if user_id is not None and not _agrees(participant, await self._due(room.name, user_id)):
                    self._put(room.name, participant.identity)

    async def run(self) -> None:
        """Apply until cancelled."""
        while True:
            livekit_room, identity = await self._queue.get()
            try:
                for participant in await self._found(livekit_room, identity):
                    await self._apply(livekit_room, participant)
            except (Problem, StorageUnavailable) as error:
                _log.warning("room_role_not_applied", error=str(error))

    async def apply(self, livekit_room: str, user_id: str) -> tuple[Applied, str | None]:
        """Apply the record to a user now, on each of the user's devices.

        Returns:
            Whether LiveKit took it, and why not.
        """
        try:
            people = await self._found(livekit_room, None)
            own = [one for one in people if one.attributes.get(USER_ATTRIBUTE) == user_id]
            for participant in own:
                await self._apply(livekit_room, participant)
        except Problem as error:
            return False, f"{error} It is applied when LiveKit answers, or when the user joins."
        return (True, None) if own else ("not_in_room", "The user is not in the room; it holds from the next joining.")

    async def _found(self, livekit_room: str, identity: str | None) -> Iterable[ParticipantSnapshot]:
        with contextlib.suppress(NotFound):  # gone by itself
            if identity is not None:
                return [await self._gateway.participant(livekit_room, identity)]
            return await self._gateway.participants(livekit_room)
        return []

    async def _apply(self, livekit_room: str, participant: ParticipantSnapshot) -> None:
        """Until the record that was read before the change is that of after it: two changes may cross."""
        user_id = participant.attributes.get(USER_ATTRIBUTE)
        if user_id is None:
            return
        for _ in range(_ATTEMPTS):
            due = await self._due(livekit_room, user_id)
            if due is None or _agrees(participant, due):
                return
            try:
                if isinstance(due, str):
                    await self._gateway.remove_participant(livekit_room, participant.identity)
                    await self._record(livekit_room, participant, "participant.removed", {"because": due})
                    return
                role, permissions = due
                participant = await self._gateway.update_participant(
                    livekit_room,
                    participant.identity,
                    attributes={ROLE_ATTRIBUTE: role},
                    permissions=permissions,
                )
            except NotFound:
                return  # gone by itself
            detail: dict[str, object] = {"sid": participant.sid, "changed": ["attributes", "permissions"], "role": role}
            await self._record(livekit_room, participant, "participant.updated", detail)

    async def _due(self, livekit_room: str, user_id: str) -> Due:
        def read(tx: Transaction) -> Due:
            place = room_names.split(livekit_room)
            app = None if place is None else app_by_slug(tx, place[0])
            if app is None:
                return None
            try:
                role = room_access.role_of(tx, app, livekit_room, user_id)
            except Forbidden as refused:
                return refused.code
            return role, room_access.permissions_of(tx, livekit_room, role)

        return await self._database.read(read)

    async def _record(
        self, livekit_room: str, participant: ParticipantSnapshot, type_: str, detail: dict[str, object]
    ) -> None:
        def record(tx: Transaction) -> None:
            session = store.open_session_of_room(tx, livekit_room)
            if session is not None:
                event = NewEvent(
                    session.app_id, type_, "api", now_ms(), livekit_room, participant.identity, session.id, detail
                )
                self._feed.append(tx, event)

        await self._database.write(record)

    def _put(self, livekit_room: str, identity: str | None) -> None:
        if not self._queue.full():
            self._queue.put_nowait((livekit_room, identity))


def _agrees(participant: ParticipantSnapshot, due: Due) -> bool:
    if due is None:
        return True
    if isinstance(due, str):
        return False
    role, permissions = due
    return participant.attributes.get(ROLE_ATTRIBUTE) == role and same_permissions(participant.permissions, permissions)
