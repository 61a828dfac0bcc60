"""The tables and statements of who may join a room, and of the roles that users have in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text, delete, func, or_, select

from stagedoor.access.room_roles import RoomRole
from stagedoor.access.settings import AccessLevel
from stagedoor.rooms.participants_store import participants
from stagedoor.rooms.store import sessions
from stagedoor.storage import Transaction, metadata, upsert

room_access = Table(
    "room_access",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("livekit_room", Text, primary_key=True),
    Column("level", String(12), nullable=False),
    Column("users", Text, nullable=False),
    Column("emails", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

room_roles = Table(
    "room_roles",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("livekit_room", Text, primary_key=True),
    Column("user_id", String(40), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_room_roles_user_id", "user_id"),
)


@dataclass(frozen=True, slots=True)
class RoomAccess:
    """Who may join a room.

    Attributes:
        users: Ids of users who are invited, members or not.
        emails: E-mails of members who are invited.
    """

    level: AccessLevel
    users: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


def find_access(tx: Transaction, app_id: str, livekit_room: str) -> RoomAccess | None:
    """What was decided for the room itself."""
    row = tx.execute(
        select(room_access).where(room_access.c.app_id == app_id, room_access.c.livekit_room == livekit_room)
    ).first()
    if row is None:
        return None
    return RoomAccess(cast("AccessLevel", row.level), _texts(row.users), _texts(row.emails))


def set_access(tx: Transaction, app_id: str, livekit_room: str, access: RoomAccess, now: int) -> None:
    values = {
        "level": access.level,
        "users": msgspec.json.encode(access.users).decode(),
        "emails": msgspec.json.encode(access.emails).decode(),
        "updated_at": now,
    }
    new = upsert(room_access).values(app_id=app_id, livekit_room=livekit_room, **values)
    tx.execute(new.on_conflict_do_update(index_elements=["app_id", "livekit_room"], set_=values))


def find_role(tx: Transaction, app_id: str, livekit_room: str, user_id: str) -> RoomRole | None:
    """The role that the user was given in the room."""
    query = select(room_roles.c.role).where(
        room_roles.c.app_id == app_id, room_roles.c.livekit_room == livekit_room, room_roles.c.user_id == user_id
    )
    return cast("RoomRole | None", tx.execute(query).scalar())


def count_roles(tx: Transaction, app_id: str, livekit_room: str) -> int:
    query = select(func.count()).where(room_roles.c.app_id == app_id, room_roles.c.livekit_room == livekit_room)
    return tx.execute(query).scalar() or 0


def roles_of(
    tx: Transaction, app_id: str, livekit_room: str, *, after: str | None, limit: int
) -> list[tuple[str, RoomRole]]:
    """Users with a role of their own in the room, and the role."""
    query = select(room_roles.c.user_id, room_roles.c.role).where(
        room_roles.c.app_id == app_id, room_roles.c.livekit_room == livekit_room
    )
    if after is not None:
        query = query.where(room_roles.c.user_id > after)
    rows = tx.execute(query.order_by(room_roles.c.user_id).limit(limit))
    return [(row.user_id, cast("RoomRole", row.role)) for row in rows]


def set_role(tx: Transaction, app_id: str, livekit_room: str, user_id: str, role: RoomRole, now: int) -> None:
    values = {"role": role, "updated_at": now}
    new = upsert(room_roles).values(app_id=app_id, livekit_room=livekit_room, user_id=user_id, **values)
    tx.execute(new.on_conflict_do_update(index_elements=["app_id", "livekit_room", "user_id"], set_=values))


def delete_role(tx: Transaction, app_id: str, livekit_room: str, user_id: str) -> bool:
    """False when the user has no role of its own there."""
    mine = (room_roles.c.app_id == app_id) & (room_roles.c.livekit_room == livekit_room)
    return tx.execute(delete(room_roles).where(mine, room_roles.c.user_id == user_id)).rowcount > 0


def presences_of(tx: Transaction, user_id: str) -> Sequence[tuple[str, str]]:
    """LiveKit room and identity of each participant that is there under an identity of the user."""
    query = (
        select(sessions.c.livekit_room, participants.c.identity)
        .join(participants, participants.c.session_id == sessions.c.id)
        .where(
            sessions.c.state == "active",
            participants.c.state.in_(("joining", "active")),
            or_(
                participants.c.identity == user_id,
                participants.c.identity.startswith(f"{user_id}:", autoescape=True),
            ),
        )
    )
    return [(row.livekit_room, row.identity) for row in tx.execute(query)]


def _texts(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
