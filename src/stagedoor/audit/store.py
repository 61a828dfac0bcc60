"""The table of the audit trail: rows are added in the transaction of the change that they record, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Index, String, Table, Text, delete, insert, select

from stagedoor.kernel.clock import now_ms
from stagedoor.storage import Transaction, metadata
from stagedoor.storage.records import record
from stagedoor.storage.types import row_id
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.tenant_filter import visible

SYSTEM: Final = "system"
"""The actor of changes that the product makes by itself, such as deleting what retention has expired."""

# No foreign keys: the trail outlives its subjects.
audit = Table(
    "audit",
    metadata,
    row_id("seq"),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(40), nullable=False),
    Column("credential", String(40), nullable=True),
    Column("action", String(40), nullable=False),
    Column("target", Text, nullable=False),
    Column("organisation_id", String(40), nullable=True),
    Column("app_id", String(40), nullable=True),
    Column("detail", Text, nullable=False),
    Index("ix_audit_organisation_id", "organisation_id", "seq"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done.

    Attributes:
        actor: The id of an API key or of a user, `operator` for the person on the machine, or `system`.
        credential: The id of the session or token by which a user did it.
        action: `noun.verb`.
        target: The id of what it was done to.
    """

    seq: int
    at: int
    actor: str
    credential: str | None
    action: str
    target: str
    organisation_id: str | None
    app_id: str | None
    detail: Mapping[str, Any]


def note(
    tx: Transaction,
    actor: Principal | None,
    action: str,
    target: str,
    *,
    organisation_id: str | None,
    app_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add to the trail.

    Args:
        tx: The transaction of what is done.
        actor: Who does it; `None` for the product itself.
        action: What, as `noun.verb`.
        target: The id of what it is done to.
        organisation_id: Whose thing it is; `None` for the installation's.
        app_id: The app that it is in, if it is in one.
        detail: More; no secrets.
    """
    tx.execute(
        insert(audit).values(
            at=now_ms(),
            actor=SYSTEM if actor is None else actor.key_id,
            credential=None if actor is None else actor.credential,
            action=action,
            target=target,
            organisation_id=organisation_id,
            app_id=app_id,
            detail=msgspec.json.encode(detail or {}).decode(),
        )
    )


def delete_old(tx: Transaction, before: int, limit: int) -> int:
    """Delete the oldest entries from before a time, in a bounded batch; how many."""
    oldest = tx.execute(select(audit.c.seq, audit.c.at).order_by(audit.c.seq).limit(limit))
    due = [row.seq for row in oldest if row.at < before]
    tx.execute(delete(audit).where(audit.c.seq.in_(due)))
    return len(due)


def was_done_by_system(tx: Transaction, action: str) -> bool:
    """True when the product itself has ever done this."""
    query = select(audit.c.seq).where(audit.c.actor == SYSTEM, audit.c.action == action)
    return tx.execute(query.limit(1)).first() is not None


def entries(
    tx: Transaction,
    caller: Principal,
    *,
    organisation_id: str | None,
    app_id: str | None,
    action: str | None,
    since: int | None,
    before: int | None,
    limit: int,
) -> list[Entry]:
    """What the caller may see of the trail, newest first."""
    query = select(audit).where(visible(caller, audit.c.organisation_id, audit.c.app_id))
    if organisation_id is not None:
        query = query.where(audit.c.organisation_id == organisation_id)
    if app_id is not None:
        query = query.where(audit.c.app_id == app_id)
    if action is not None:
        query = query.where(audit.c.action == action)
    if since is not None:
        query = query.where(audit.c.at >= since)
    if before is not None:
        query = query.where(audit.c.seq < before)
    found: list[Entry] = []
    for row in tx.execute(query.order_by(audit.c.seq.desc()).limit(limit)):
        values = record(row)
        found.append(Entry(**(values | {"detail": msgspec.json.decode(values["detail"])})))
    return found
