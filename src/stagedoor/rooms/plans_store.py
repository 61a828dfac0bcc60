"""The table of plans, which announced sessions have, and its statements."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)

from stagedoor.rooms.nouns import Plan, Session
from stagedoor.rooms.store import session_of_row, sessions
from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import record, values_of

plans = Table(
    "session_plans",
    metadata,
    Column("session_id", String(40), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("agents", Text, nullable=False),
    Column("max_duration", Integer, nullable=True),
    Column("empty_timeout", Integer, nullable=True),
    Column("departure_timeout", Integer, nullable=True),
    Column("max_participants", Integer, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("wait_until", BigInteger, nullable=False),
    Column("cleaned_at", BigInteger, nullable=True),
    Column("transcript", String(16), nullable=True),
)
_PLAN = Prepared(select(plans).where(plans.c.session_id == bindparam("key")))


def insert_plan(tx: Transaction, plan: Plan) -> None:
    tx.execute(insert(plans).values(_plan_values(plan)))


def update_plan(tx: Transaction, plan: Plan) -> None:
    tx.execute(update(plans).where(plans.c.session_id == plan.session_id).values(_plan_values(plan)))


def plan_of(tx: Transaction, session_id: str) -> Plan | None:
    rows = tx.rows(_PLAN, {"key": session_id})
    return _plan(dict(zip(_PLAN_COLUMNS, rows[0], strict=True))) if rows else None


def plans_of(tx: Transaction, session_ids: Collection[str]) -> dict[str, Plan]:
    """Plans by session; most sessions have none."""
    rows = tx.execute(select(plans).where(plans.c.session_id.in_(session_ids)))
    return {row.session_id: _plan(record(row)) for row in rows}


def planned_rooms(tx: Transaction) -> set[str]:
    """LiveKit names of rooms that a session was ever announced for."""
    query = select(sessions.c.livekit_room).join(plans, plans.c.session_id == sessions.c.id)
    return {row.livekit_room for row in tx.execute(query)}


def newest_plan_of_room(tx: Transaction, livekit_room: str) -> tuple[Session, Plan] | None:
    """The last session that was announced for the room, and its plan."""
    query = (
        select(sessions)
        .join(plans, plans.c.session_id == sessions.c.id)
        .where(sessions.c.livekit_room == livekit_room)
        .order_by(sessions.c.id.desc())
        .limit(1)
    )
    session = session_of_row(tx.execute(query).first())
    plan = None if session is None else plan_of(tx, session.id)
    return None if session is None or plan is None else (session, plan)


_PLAN_COLUMNS = tuple(plans.c.keys())


def _plan_values(plan: Plan) -> dict[str, Any]:
    return values_of(plan) | {"agents": msgspec.json.encode(plan.agents).decode()}


def _plan(values: dict[str, Any]) -> Plan:
    values["agents"] = msgspec.json.decode(values["agents"], type=tuple[tuple[str, str], ...])
    return Plan(**values)
