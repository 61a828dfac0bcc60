"""The table of rooms that are composed: a lease says which node composes one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Column, String, Table, Text, and_, delete, or_, select, update

from stagedoor.storage import Transaction, metadata
from stagedoor.storage.upserts import upsert

LEASE_MS: Final = 10_000
"""How long a node is taken to compose a room after it was last heard of."""

compositions = Table(
    "compositions",
    metadata,
    Column("livekit_room", Text, primary_key=True),
    Column("node", String(64), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)


def claim(tx: Transaction, livekit_room: str, node: str, now: int) -> str:
    """Let a node compose a room unless another one does; the node that has it then.

    What a node claimed before it was restarted is its own.
    """
    free = or_(compositions.c.lease_until < now, compositions.c.node == node)
    mine = {"node": node, "lease_until": now + LEASE_MS}
    new = upsert(compositions).values(livekit_room=livekit_room, **mine)
    tx.execute(new.on_conflict_do_update(index_elements=[compositions.c.livekit_room], set_=mine, where=free))
    return tx.execute(select(compositions.c.node).where(compositions.c.livekit_room == livekit_room)).scalar_one()


def renew(tx: Transaction, livekit_rooms: Collection[str], node: str, now: int) -> set[str]:
    """Go on composing rooms; those that the node has no more are left out of the answer."""
    mine = and_(compositions.c.livekit_room.in_(livekit_rooms), compositions.c.node == node)
    tx.execute(update(compositions).where(mine).values(lease_until=now + LEASE_MS))
    return set(tx.execute(select(compositions.c.livekit_room).where(mine)).scalars())


def release(tx: Transaction, livekit_room: str, node: str) -> None:
    """Let others compose a room; nothing happens when another node has it."""
    tx.execute(delete(compositions).where(compositions.c.livekit_room == livekit_room, compositions.c.node == node))
