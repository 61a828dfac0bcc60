"""How far each app's events have been given out to endpoints."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from stagedoor.events.store import events
from stagedoor.outbox.endpoint_store import endpoints, endpoints_of_app
from stagedoor.outbox.nouns import Endpoint
from stagedoor.storage import Transaction, metadata, upsert
from stagedoor.tenancy.store import apps

cursors = Table(
    "webhook_cursors",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

backlogs = Table(
    "webhook_backlogs",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Index("ix_webhook_backlogs_endpoint_id", "endpoint_id"),
)
"""The endpoints that had no room for an app's events, or are not past those again: up to which event each has been
offered them. The cursor of the app is that of all other endpoints."""


def apps_to_serve(tx: Transaction) -> list[str]:
    """Apps with events that an endpoint may want and that were not looked at for it."""
    wanted = (
        select(apps.c.id, func.min(endpoints.c.from_seq).label("from_seq"))
        .join(
            endpoints,
            (endpoints.c.organisation_id == apps.c.organisation_id)
            & (endpoints.c.app_id.is_(None) | (endpoints.c.app_id == apps.c.id)),
        )
        .where(endpoints.c.enabled.is_(true()))
        .group_by(apps.c.id)
        .subquery()
    )
    newest = select(func.max(events.c.seq)).where(events.c.app_id == wanted.c.id).scalar_subquery()
    query = (
        select(wanted.c.id)
        .outerjoin(cursors, cursors.c.app_id == wanted.c.id)
        .where(
            or_(
                newest > func.coalesce(cursors.c.seq, wanted.c.from_seq),
                exists().where(backlogs.c.app_id == wanted.c.id),
            )
        )
    )
    return [row.id for row in tx.execute(query)]


def lock_app(tx: Transaction, app_id: str) -> bool:
    """Keep other nodes from giving out this app's events until the transaction ends; false if one is at it."""
    return bool(tx.try_lock("outbox", (app_id,)))


def cursor_of(tx: Transaction, app_id: str) -> int | None:
    return tx.execute(select(cursors.c.seq).where(cursors.c.app_id == app_id)).scalar()


def set_cursor(tx: Transaction, app_id: str, seq: int) -> None:
    changed = tx.execute(update(cursors).where(cursors.c.app_id == app_id).values(seq=seq)).rowcount
    if changed == 0:
        tx.execute(insert(cursors).values(app_id=app_id, seq=seq))


def offered_until(tx: Transaction, app_id: str) -> int | None:
    """The number of the last event of the app that every endpoint has been offered; `None` without an endpoint."""
    return min((offered_to(tx, app_id, endpoint) for endpoint in endpoints_of_app(tx, app_id)), default=None)


def offered_to(tx: Transaction, app_id: str, endpoint: Endpoint) -> int:
    """The number of the last event of the app that the endpoint has been offered."""
    seq = behind_of_app(tx, app_id).get(endpoint.id)
    return max(endpoint.from_seq, (cursor_of(tx, app_id) or 0) if seq is None else seq)


def behind_of_app(tx: Transaction, app_id: str) -> dict[str, int]:
    """The endpoints that are behind with the app's events, and up to which each has been offered them."""
    query = select(backlogs.c.endpoint_id, backlogs.c.seq).where(backlogs.c.app_id == app_id)
    return {row.endpoint_id: row.seq for row in tx.execute(query)}


def set_behind(tx: Transaction, app_id: str, endpoint_id: str, seq: int, now: int) -> None:
    """The endpoint has been offered the app's events up to this one, and no more while others have."""
    statement = upsert(backlogs).values(app_id=app_id, endpoint_id=endpoint_id, seq=seq, since=now)
    tx.execute(statement.on_conflict_do_update(index_elements=["app_id", "endpoint_id"], set_={"seq": seq}))


def set_caught_up(tx: Transaction, app_id: str, endpoint_id: str) -> None:
    """The endpoint has been offered what the others have."""
    tx.execute(delete(backlogs).where(backlogs.c.app_id == app_id, backlogs.c.endpoint_id == endpoint_id))


def forget_backlog(tx: Transaction, endpoint_id: str) -> None:
    """What waits for the endpoint is not to be given out any more."""
    tx.execute(delete(backlogs).where(backlogs.c.endpoint_id == endpoint_id))


def count_behind(tx: Transaction) -> int:
    """How many endpoints are behind."""
    return tx.execute(select(func.count(backlogs.c.endpoint_id.distinct()))).scalar() or 0


def behind_since(tx: Transaction, endpoint_ids: Collection[str]) -> dict[str, int]:
    """Since when those of these endpoints that are behind are."""
    query = select(backlogs.c.endpoint_id, func.min(backlogs.c.since).label("since"))
    query = query.where(backlogs.c.endpoint_id.in_(endpoint_ids)).group_by(backlogs.c.endpoint_id)
    return {row.endpoint_id: row.since for row in tx.execute(query)}
