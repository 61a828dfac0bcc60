"""The tables of usage: what was reported of each session, and what each session and each app used by the hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from stagedoor.storage import Prepared, Transaction, metadata, upsert
from stagedoor.storage.records import values_of
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.store import apps
from stagedoor.tenancy.tenant_filter import visible
from stagedoor.usage.meters import METERS, Amounts


def _meters() -> list[Column[int]]:
    return [Column(meter, BigInteger, nullable=False) for meter in METERS]


# No foreign key to sessions: what was used is kept for the bill when a session itself is forgotten.
reported = Table(
    "usage_told",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("disposition", String(20), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    *_meters(),
    Index("ix_usage_told_app_id", "app_id"),
)

session_hours = Table(
    "usage_session_hours",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    *_meters(),
    Index("ix_usage_session_hours_app_id", "app_id", "hour"),
)

app_hours = Table(
    "usage_app_hours",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    *_meters(),
)

# Of each node the last batch that it added: one that perhaps was stored is tried again, and must not count twice.
batches = Table(
    "usage_batches",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("batch", String(40), nullable=False),
)

egresses = Table(
    "usage_egresses",
    metadata,
    Column("egress_id", String(128), primary_key=True),
    Column("session_id", String(40), nullable=False),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("recording", Boolean, nullable=False),
    Index("ix_usage_egresses_session_id", "session_id"),
)


_REPORTED: Final = Prepared(select(reported).where(reported.c.session_id == bindparam("key")))
_INSERT_REPORTED: Final = Prepared(insert(reported))
_EGRESSES: Final = Prepared(select(egresses).where(egresses.c.session_id == bindparam("key")))
_HOURS: Final = Prepared(
    select(session_hours.c.hour, *(session_hours.c[meter] for meter in METERS)).where(
        session_hours.c.session_id == bindparam("key")
    )
)


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """What `session.ended`, or the last `session.corrected`, reported of a session."""

    session_id: str
    app_id: str
    disposition: str
    duration_ms: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Egress:
    """An egress that has ended. Times are milliseconds since the epoch."""

    egress_id: str
    session_id: str
    app_id: str
    started_at: int
    ended_at: int
    recording: bool


def reported_usage(tx: Transaction, session_id: str) -> ReportedUsage | None:
    rows = tx.rows(_REPORTED, {"key": session_id})
    return _reported(rows[0]) if rows else None


def _reported(row: Sequence[Any]) -> ReportedUsage:
    session_id, app_id, disposition, duration_ms, *amounts = row
    return ReportedUsage(session_id, app_id, disposition, duration_ms, Amounts(*amounts))


def reported_usage_of_sessions(tx: Transaction, session_ids: Collection[str]) -> dict[str, Amounts]:
    """What was reported last of the usage of each."""
    return {
        row.session_id: _amounts(row)
        for row in tx.execute(select(reported).where(reported.c.session_id.in_(session_ids)))
    }


def insert_reported_usage(tx: Transaction, new: ReportedUsage) -> None:
    tx.run(_INSERT_REPORTED, _reported_values(new))


def update_reported_usage(tx: Transaction, changed: ReportedUsage) -> None:
    tx.execute(update(reported).where(reported.c.session_id == changed.session_id).values(_reported_values(changed)))


def save_egress(tx: Transaction, egress: Egress) -> None:
    """Insert it, or change it to what was heard of it last."""
    values = values_of(egress)
    if tx.execute(update(egresses).where(egresses.c.egress_id == egress.egress_id).values(values)).rowcount == 0:
        tx.execute(insert(egresses).values(values))


def egresses_of(tx: Transaction, session_id: str) -> list[Egress]:
    return [Egress(*row[:-1], recording=bool(row[-1])) for row in tx.rows(_EGRESSES, {"key": session_id})]


def hours_of_session(tx: Transaction, session_id: str) -> dict[int, Amounts]:
    """What is recorded of the session, by hour."""
    return {row[0]: Amounts(*row[1:]) for row in tx.rows(_HOURS, {"key": session_id})}


def replace_hours(tx: Transaction, app_id: str, session_id: str, hours: Mapping[int, Amounts]) -> None:
    """Record what the session used, in place of what was recorded before."""
    tx.execute(delete(session_hours).where(session_hours.c.session_id == session_id))
    if hours:
        tx.execute(
            insert(session_hours),
            [
                {"session_id": session_id, "app_id": app_id, "hour": hour} | values_of(amounts)
                for hour, amounts in hours.items()
            ],
        )


def add_to_app(tx: Transaction, app_id: str, changes: Mapping[int, Amounts]) -> None:
    """Add to, or take from, what an app used; hours in one order, so that no two transactions wait in a circle."""
    for hour, amounts in sorted(changes.items()):
        tx.execute(_ADD, {"app_id": app_id, "hour": hour} | values_of(amounts))


def add_to_session(tx: Transaction, app_id: str, session_id: str, changes: Mapping[int, Amounts]) -> None:
    """Add to what a session used."""
    for hour, amounts in sorted(changes.items()):
        keys = {"session_id": session_id, "app_id": app_id, "hour": hour}
        tx.execute(_ADD_TO_SESSION, keys | values_of(amounts))


def begin_batch(tx: Transaction, node: str, batch: str) -> bool:
    """Note that a batch of a node is written in this transaction; false when it was written before.

    Args:
        tx: The transaction.
        node: A node that writes one batch after the other.
        batch: The batch's id.
    """
    return tx.execute(_BEGIN_BATCH, {"node": node, "batch": batch}).rowcount == 1


def _add(table: Table, key: str) -> Any:
    statement = upsert(table)
    return statement.on_conflict_do_update(
        index_elements=[key, "hour"],
        set_={meter: table.c[meter] + statement.excluded[meter] for meter in METERS},
    )


_ADD: Final = _add(app_hours, "app_id")
_ADD_TO_SESSION: Final = _add(session_hours, "session_id")
_batch: Final = upsert(batches)
_BEGIN_BATCH: Final = _batch.on_conflict_do_update(
    index_elements=["node"], set_={"batch": _batch.excluded.batch}, where=batches.c.batch != _batch.excluded.batch
)


def used(
    tx: Transaction,
    principal: Principal,
    *,
    per: Literal["organisation", "app", "session"],
    span_ms: int | None,
    since: int,
    until: int,
    organisation_id: str | None,
    app_id: str | None,
    limit: int,
) -> list[tuple[str, str | None, str | None, int, Amounts]]:
    """Sums of what the caller may see: organisation, app and session (`None` for those that are summed over), the start
    of the span, and the amounts.

    Args:
        tx: The transaction.
        principal: The caller.
        per: What each sum is of.
        span_ms: Of how much time; a multiple of an hour that a day is a multiple of. `None`: all of it, from 0.
        since: From this hour on.
        until: Up to this time.
        organisation_id: Only of this organisation.
        app_id: Only of this app.
        limit: Rows at the most.
    """
    table = session_hours if per == "session" else app_hours
    sums = [func.sum(table.c[meter]).label(meter) for meter in METERS]
    start = literal(0) if span_ms is None else table.c.hour - table.c.hour % span_ms
    start = start.label("start")
    keys: list[Any] = [apps.c.organisation_id]
    if per != "organisation":
        keys.append(table.c.app_id)
    if per == "session":
        keys.append(table.c.session_id)
    query = (
        select(*keys, start, *sums)
        .join(apps, apps.c.id == table.c.app_id)
        .where(visible(principal, apps.c.organisation_id, apps.c.id), table.c.hour >= since, table.c.hour < until)
        .group_by(*keys, start)
        .order_by(start, *keys)
        .limit(limit)
    )
    if organisation_id is not None:
        query = query.where(apps.c.organisation_id == organisation_id)
    if app_id is not None:
        query = query.where(table.c.app_id == app_id)
    return [
        (
            row.organisation_id,
            None if per == "organisation" else row.app_id,
            row.session_id if per == "session" else None,
            row.start,
            _amounts(row),
        )
        for row in tx.execute(query)
    ]


def _reported_values(one: ReportedUsage) -> dict[str, Any]:
    return {
        "session_id": one.session_id,
        "app_id": one.app_id,
        "disposition": one.disposition,
        "duration_ms": one.duration_ms,
    } | values_of(one.amounts)


def _amounts(row: Row[*tuple[Any, ...]]) -> Amounts:
    return Amounts(*(int(getattr(row, meter)) for meter in METERS))
