"""The tables of deliveries and their attempts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)

from stagedoor.kernel.texts import storable
from stagedoor.outbox.body_store import bodies
from stagedoor.outbox.endpoint_store import endpoints
from stagedoor.outbox.nouns import Attempt, AttemptResult, Delivery, Endpoint
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of
from stagedoor.storage.types import row_id
from stagedoor.tenancy.store import apps

_AT_ONCE: Final = 500
"""How many values one statement binds."""

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("event_seq", BigInteger, ForeignKey("webhook_bodies.event_seq"), nullable=False),
    Column("message_id", String(40), nullable=False),
    Column("type", String(40), nullable=False),
    Column("session_id", String(40), nullable=True),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger, nullable=True),
    Column("last_outcome", String(16), nullable=True),
    Column("last_status", Integer, nullable=True),
    UniqueConstraint("endpoint_id", "event_seq"),
    Index("ix_webhook_deliveries_created_at", "created_at"),
    Index("ix_webhook_deliveries_app_id", "app_id"),
    Index("ix_webhook_deliveries_event_seq", "event_seq"),
    Index(
        "ix_webhook_deliveries_pending",
        "endpoint_id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
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

# Written into the statement and not bound: neither engine uses a partial index for a value that it is only bound.
_PENDING: Final[ColumnElement[str]] = literal_column("'pending'", String)


def waiting_of_organisation(tx: Transaction, organisation_id: str) -> dict[str, int]:
    """How many deliveries wait for each of the organisation's endpoints."""
    of_organisation = select(endpoints.c.id).where(endpoints.c.organisation_id == organisation_id)
    return _waiting(tx, deliveries.c.endpoint_id.in_(of_organisation))


def waiting_of_endpoints(tx: Transaction, endpoint_ids: Collection[str]) -> dict[str, int]:
    """How many deliveries wait for each of these endpoints."""
    return _waiting(tx, deliveries.c.endpoint_id.in_(endpoint_ids))


def _waiting(tx: Transaction, wanted: ColumnElement[bool]) -> dict[str, int]:
    query = select(deliveries.c.endpoint_id, func.count().label("n")).where(wanted, deliveries.c.state == _PENDING)
    return {row.endpoint_id: row.n for row in tx.execute(query.group_by(deliveries.c.endpoint_id))}


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
    """Forget deliveries that are over and old, in a bounded batch; how many."""
    return _delete_some(tx, _is_over(before), limit)


def delete_deliveries_of_app(tx: Transaction, app_id: str, before: int, limit: int) -> int:
    """Forget an app's deliveries that are over and are of events that it keeps no longer; how many."""
    return _delete_some(tx, (deliveries.c.app_id == app_id) & _is_over(before), limit)


def endpoints_with_deliveries(tx: Transaction) -> list[str]:
    """The ids of endpoints that may have deliveries."""
    return list(tx.execute(select(endpoints.c.id)).scalars())


def last_to_forget(tx: Transaction, endpoint_id: str, most: int) -> int | None:
    """The event of the newest delivery that is one too many, if the endpoint has more than so many."""
    query = select(deliveries.c.event_seq).where(deliveries.c.endpoint_id == endpoint_id)
    return tx.execute(query.order_by(deliveries.c.event_seq.desc()).offset(most).limit(1)).scalar()


def delete_deliveries_until(tx: Transaction, endpoint_id: str, last: int, limit: int) -> int:
    """Forget an endpoint's deliveries of events up to this one, but for those that wait; how many."""
    due = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.event_seq <= last)
    return _delete_some(tx, due & (deliveries.c.state != "pending"), limit)


def delete_deliveries_of_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Forget all of an endpoint's deliveries."""
    of_organisation = select(apps.c.id).where(apps.c.organisation_id == endpoint.organisation_id)
    _delete(tx, tx.execute(of_organisation).scalars(), deliveries.c.endpoint_id == endpoint.id)


def _is_over(before: int) -> ColumnElement[bool]:
    return (deliveries.c.created_at < before) & (deliveries.c.state != "pending")


def _delete_some(tx: Transaction, due: ColumnElement[bool], limit: int) -> int:
    found = list(tx.execute(select(deliveries.c.id, deliveries.c.app_id).where(due).limit(limit)))
    # `due` once more: one of them may be on its way again by the time the lock is had.
    return _delete(tx, (row.app_id for row in found), due & deliveries.c.id.in_([row.id for row in found]))


def _delete(tx: Transaction, app_ids: Iterable[str], due: ColumnElement[bool]) -> int:
    """Delete deliveries of these apps, and the bodies that no delivery is left of.

    Each transaction that adds or deletes an app's deliveries has the lock of its outbox, so no body is deleted that
    another one is about to refer to.
    """
    tx.lock("outbox", set(app_ids))
    seqs = list(tx.execute(delete(deliveries).where(due).returning(deliveries.c.event_seq)).scalars())
    is_sent = exists().where(deliveries.c.event_seq == bodies.c.event_seq)
    for start in range(0, len(seqs), _AT_ONCE):
        part = seqs[start : start + _AT_ONCE]
        tx.execute(delete(bodies).where(bodies.c.event_seq.in_(part), ~is_sent))
    return len(seqs)
