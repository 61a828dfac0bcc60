"""The table of bans, and its statements."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    select,
)

from stagedoor.rooms.participants_store import participants
from stagedoor.rooms.store import sessions
from stagedoor.storage import Prepared, Transaction, metadata, upsert

bans = Table(
    "bans",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    UniqueConstraint("livekit_room", "identity"),
)
_BANNED_UNTIL = Prepared(
    select(bans.c.until).where(
        bans.c.livekit_room == bindparam("room"),
        bans.c.identity == bindparam("identity"),
        bans.c.until > bindparam("now"),
    )
)


def set_ban(tx: Transaction, ban_id: str, app_id: str, livekit_room: str, identity: str, until: int) -> None:
    # One statement: of two bans at once on PostgreSQL the second would not see, and not delete, the first one's row.
    new = upsert(bans).values(id=ban_id, app_id=app_id, livekit_room=livekit_room, identity=identity, until=until)
    changed = {"id": ban_id, "app_id": app_id, "until": until}
    tx.execute(new.on_conflict_do_update(index_elements=["livekit_room", "identity"], set_=changed))


def banned_until(tx: Transaction, livekit_room: str, identity: str, now: int) -> int | None:
    rows = tx.rows(_BANNED_UNTIL, {"room": livekit_room, "identity": identity, "now": now})
    return int(rows[0][0]) if rows else None


def count_bans(tx: Transaction, app_id: str) -> int:
    return tx.execute(select(func.count()).where(bans.c.app_id == app_id)).scalar() or 0


def bans_in_force(tx: Transaction) -> dict[tuple[str, str], int]:
    """Until when, by LiveKit room and identity."""
    query = select(bans.c.livekit_room, bans.c.identity, bans.c.until)
    return {(row.livekit_room, row.identity): row.until for row in tx.execute(query)}


def delete_bans_of_room(tx: Transaction, livekit_room: str) -> None:
    tx.execute(delete(bans).where(bans.c.livekit_room == livekit_room))


def delete_past_bans(tx: Transaction, now: int) -> None:
    tx.execute(delete(bans).where(bans.c.until <= now))


def banned_and_present(tx: Transaction, now: int) -> list[tuple[str, str]]:
    """LiveKit room and identity of each participant in a room that it is banned from."""
    query = (
        select(sessions.c.livekit_room, participants.c.identity)
        .join(participants, participants.c.session_id == sessions.c.id)
        .join(
            bans,
            (bans.c.livekit_room == sessions.c.livekit_room) & (bans.c.identity == participants.c.identity),
        )
        .where(sessions.c.state == "active", participants.c.state.in_(("joining", "active")), bans.c.until > now)
    )
    return [(row.livekit_room, row.identity) for row in tx.execute(query)]
