"""The tables of endpoints, deliveries and attempts, and how far each app's events have been given out."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from stagedoor.events.store import events
from stagedoor.kernel.texts import storable
from stagedoor.outbox.nouns import Attempt, AttemptResult, Delivery, Endpoint
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of
from stagedoor.storage.types import row_id
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.store import apps
from stagedoor.tenancy.tenant_filter import visible

endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), nullable=False),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("ordered", Boolean, nullable=False),
    Column("from_seq", BigInteger, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("sealed_old_secret", LargeBinary, nullable=True),
    Column("old_secret_until", BigInteger, nullable=True),
    Column("failing_since", BigInteger, nullable=True),
    Column("disabled_reason", Text, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_webhook_endpoints_organisation_id", "organisation_id", "id"),
    Index("ix_webhook_endpoints_app_id", "app_id"),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("event_seq", BigInteger, nullable=False),
    Column("message_id", String(40), nullable=False),
    Column("type", String(40), nullable=False),
    Column("session_id", String(40), nullable=True),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger, nullable=True),
    Column("last_outcome", String(16), nullable=True),
    Column("last_status", Integer, nullable=True),
    UniqueConstraint("endpoint_id", "event_seq"),
    Index("ix_webhook_deliveries_created_at", "created_at"),
    Index("ix_webhook_deliveries_app_id", "app_id"),
)

attempts = Table(
    "webhook_attempts",
    metadata,
    row_id("seq"),
    Column("delivery_id", String(40), ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("answered", Text, nullable=False),
    Index("ix_webhook_attempts_delivery_id", "delivery_id", "seq"),
    sqlite_autoincrement=True,
)

cursors = Table(
    "webhook_cursors",
    metadata,
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)


# Endpoints


def insert_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    tx.execute(insert(endpoints).values(_endpoint_values(endpoint)))


def update_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    tx.execute(update(endpoints).where(endpoints.c.id == endpoint.id).values(_endpoint_values(endpoint)))


def delete_endpoint(tx: Transaction, endpoint_id: str) -> None:
    tx.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))


def find_endpoint(tx: Transaction, principal: Principal, endpoint_id: str) -> Endpoint | None:
    query = select(endpoints).where(
        endpoints.c.id == endpoint_id, visible(principal, endpoints.c.organisation_id, endpoints.c.app_id)
    )
    return _endpoint(tx.execute(query).first())


def endpoint_by_id(tx: Transaction, endpoint_id: str, *, locked: bool = False) -> Endpoint | None:
    """The endpoint without a check of who asks: for Stagedoor's own work on it.

    Args:
        tx: The transaction.
        endpoint_id: Its id.
        locked: Keep others from changing it until the transaction ends.
    """
    query = select(endpoints).where(endpoints.c.id == endpoint_id)
    if locked:
        query = query.with_for_update()
    return _endpoint(tx.execute(query).first())


def list_endpoints(
    tx: Transaction,
    principal: Principal,
    *,
    organisation_id: str | None,
    app_id: str | None,
    after: str | None,
    limit: int,
) -> list[Endpoint]:
    query = (
        select(endpoints)
        .where(visible(principal, endpoints.c.organisation_id, endpoints.c.app_id))
        .order_by(endpoints.c.id)
        .limit(limit)
    )
    if organisation_id is not None:
        query = query.where(endpoints.c.organisation_id == organisation_id)
    if app_id is not None:
        query = query.where(endpoints.c.app_id == app_id)
    if after is not None:
        query = query.where(endpoints.c.id > after)
    return [Endpoint(**_decoded(row)) for row in tx.execute(query)]


def count_endpoints(tx: Transaction, organisation_id: str) -> int:
    query = select(func.count()).where(endpoints.c.organisation_id == organisation_id)
    return tx.execute(query).scalar() or 0


def last_event(tx: Transaction) -> int:
    """The number of the newest event of all apps."""
    return tx.execute(select(func.max(events.c.seq))).scalar() or 0


# Giving events out


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
        .where(newest > func.coalesce(cursors.c.seq, wanted.c.from_seq))
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


def endpoints_of_app(tx: Transaction, app_id: str) -> list[Endpoint]:
    """The enabled endpoints that may want the app's events."""
    query = (
        select(endpoints)
        .join(apps, apps.c.organisation_id == endpoints.c.organisation_id)
        .where(
            apps.c.id == app_id,
            or_(endpoints.c.app_id.is_(None), endpoints.c.app_id == app_id),
            endpoints.c.enabled.is_(true()),
        )
        .order_by(endpoints.c.id)
    )
    return [Endpoint(**_decoded(row)) for row in tx.execute(query)]


# Deliveries


def insert_deliveries(tx: Transaction, new: Sequence[Delivery]) -> None:
    if new:
        tx.execute(insert(deliveries), [values_of(delivery) for delivery in new])


def update_delivery(tx: Transaction, delivery: Delivery) -> None:
    tx.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values_of(delivery)))


def delivery_by_id(tx: Transaction, delivery_id: str, *, locked: bool = False) -> Delivery | None:
    query = select(deliveries).where(deliveries.c.id == delivery_id)
    if locked:
        query = query.with_for_update()
    row = tx.execute(query).first()
    return None if row is None else Delivery(**record(row))


def deliveries_of_events(tx: Transaction, endpoint_id: str, seqs: Collection[int]) -> dict[int, Delivery]:
    """The endpoint's deliveries of these events, by event."""
    query = select(deliveries).where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.event_seq.in_(seqs))
    found = [Delivery(**record(row)) for row in tx.execute(query)]
    return {delivery.event_seq: delivery for delivery in found}


def list_deliveries(
    tx: Transaction, endpoint_id: str, *, state: str | None, before: int | None, limit: int
) -> list[Delivery]:
    """An endpoint's deliveries, the newest event first."""
    query = select(deliveries).where(deliveries.c.endpoint_id == endpoint_id)
    query = query.order_by(deliveries.c.event_seq.desc()).limit(limit)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        query = query.where(deliveries.c.event_seq < before)
    return [Delivery(**record(row)) for row in tx.execute(query)]


def insert_attempt(tx: Transaction, attempt: Attempt) -> None:
    tx.execute(
        insert(attempts).values(
            delivery_id=attempt.delivery_id, number=attempt.number, answered=stored_form(attempt.answered)
        )
    )


def stored_form(answered: AttemptResult) -> str:
    """The answer as JSON. It never fails: an attempt that could not be stored would be made again."""
    try:
        return msgspec.json.encode(answered).decode()
    except UnicodeEncodeError:
        return storable(json.dumps(msgspec.to_builtins(answered), ensure_ascii=False))


def attempts_of(tx: Transaction, delivery_ids: Collection[str]) -> list[Attempt]:
    """Attempts, oldest first."""
    query = select(attempts).where(attempts.c.delivery_id.in_(delivery_ids)).order_by(attempts.c.seq)
    return [
        Attempt(row.number, row.delivery_id, msgspec.json.decode(row.answered, type=AttemptResult))
        for row in tx.execute(query)
    ]


def delete_old_deliveries(tx: Transaction, before: int, limit: int) -> int:
    """Forget deliveries that are over and old, in a bounded bite; how many."""
    old = select(deliveries.c.id).where(deliveries.c.created_at < before, deliveries.c.state != "pending").limit(limit)
    return tx.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount


def delete_deliveries_of_app(tx: Transaction, app_id: str, before: int, limit: int) -> int:
    """Forget an app's deliveries that are over and are of events that it keeps no longer; how many."""
    old = select(deliveries.c.id).where(
        deliveries.c.app_id == app_id, deliveries.c.created_at < before, deliveries.c.state != "pending"
    )
    return tx.execute(delete(deliveries).where(deliveries.c.id.in_(old.limit(limit)))).rowcount


# Values and rows


def _endpoint_values(endpoint: Endpoint) -> dict[str, Any]:
    return values_of(endpoint) | {"types": " ".join(endpoint.types)}


def _endpoint(row: Row[Any] | None) -> Endpoint | None:
    return None if row is None else Endpoint(**_decoded(row))


def _decoded(row: Row[Any]) -> dict[str, Any]:
    values = record(row)
    values["types"] = tuple(values["types"].split())
    return values


def offered_until(tx: Transaction, app_id: str) -> int | None:
    """The number of the last event of the app that every endpoint has been offered; `None` without an endpoint."""
    enabled = endpoints_of_app(tx, app_id)
    if not enabled:
        return None
    return max(cursor_of(tx, app_id) or 0, min(endpoint.from_seq for endpoint in enabled))
