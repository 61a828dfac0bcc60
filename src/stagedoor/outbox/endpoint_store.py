"""The table of endpoints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from stagedoor.events.store import events
from stagedoor.outbox.nouns import Endpoint
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record, values_of
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


def _endpoint_values(endpoint: Endpoint) -> dict[str, Any]:
    return values_of(endpoint) | {"types": " ".join(endpoint.types)}


def _endpoint(row: Row[Any] | None) -> Endpoint | None:
    return None if row is None else Endpoint(**_decoded(row))


def _decoded(row: Row[Any]) -> dict[str, Any]:
    values = record(row)
    values["types"] = tuple(values["types"].split())
    return values
