"""The tables and statements of organisations, apps and API keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Executable,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import record, values_of
from stagedoor.tenancy.nouns import ApiKey, App, AppSettings, Organisation
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.tenant_filter import visible

organisations = Table(
    "organisations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", String(63), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

apps = Table(
    "apps",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organisation_id", String(40), ForeignKey("organisations.id"), nullable=False),
    Column("slug", String(32), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_apps_organisation_id", "organisation_id", "slug"),
)

reserved_slugs = Table(
    "reserved_slugs",
    metadata,
    Column("slug", String(32), primary_key=True),
    Column("organisation_id", String(40), nullable=False),
    Column("until", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("organisation_id", String(40), ForeignKey("organisations.id", ondelete="CASCADE"), nullable=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("last_used_at", BigInteger, nullable=True),
    Index("ix_api_keys_organisation_id", "organisation_id", "id"),
    Index("ix_api_keys_app_id", "app_id"),
)

_APP_BY_ID = Prepared(select(apps).where(apps.c.id == bindparam("id")))
_APP_BY_SLUG = Prepared(select(apps).where(apps.c.slug == bindparam("slug")))  # every event of LiveKit's asks it


# Organisations


def insert_organisation(tx: Transaction, organisation: Organisation) -> bool:
    """False when the slug is taken."""
    return _insert(tx, organisations, values_of(organisation))


def find_organisation(tx: Transaction, principal: Principal, reference: str) -> Organisation | None:
    row = tx.execute(
        select(organisations).where(
            (organisations.c.id == reference) | (organisations.c.slug == reference),
            visible(principal, organisations.c.id),
        )
    ).first()
    return None if row is None else Organisation(**record(row))


def list_organisations(tx: Transaction, principal: Principal, *, after: str | None, limit: int) -> list[Organisation]:
    query = select(organisations).where(visible(principal, organisations.c.id)).order_by(organisations.c.id)
    if after is not None:
        query = query.where(organisations.c.id > after)
    return [Organisation(**record(row)) for row in tx.execute(query.limit(limit))]


def update_organisation(tx: Transaction, organisation: Organisation) -> bool:
    """False when the slug is taken, by another transaction too."""
    values = values_of(organisation)
    return _unrefused(tx, update(organisations).where(organisations.c.id == organisation.id).values(values))


def delete_organisation(tx: Transaction, organisation_id: str) -> bool:
    """False when it has apps, one that another transaction makes included."""
    return _unrefused(tx, delete(organisations).where(organisations.c.id == organisation_id))


# Apps


def insert_app(tx: Transaction, app: App) -> bool:
    """False when the slug is taken."""
    return _insert(tx, apps, _app_values(app))


def find_app(tx: Transaction, principal: Principal, reference: str) -> App | None:
    row = tx.execute(
        select(apps).where(
            (apps.c.slug == reference) | (apps.c.id == reference),
            visible(principal, apps.c.organisation_id, apps.c.id),
        )
    ).first()
    return None if row is None else _app(row)


def slugs(tx: Transaction) -> list[str]:
    """The slugs of all apps."""
    return list(tx.execute(select(apps.c.slug)).scalars())


def app_by_slug(tx: Transaction, slug: str) -> App | None:
    """The app with this slug, for any caller: for what comes from LiveKit, which knows no principals."""
    rows = tx.rows(_APP_BY_SLUG, {"slug": slug})
    return _app(rows[0]) if rows else None


def app_by_id(tx: Transaction, app_id: str) -> App | None:
    """The app, for any caller: for the product's own work."""
    rows = tx.rows(_APP_BY_ID, {"id": app_id})
    return _app(rows[0]) if rows else None


def list_apps(
    tx: Transaction, principal: Principal, *, organisation_id: str | None, after: str | None, limit: int
) -> list[App]:
    query = select(apps).where(visible(principal, apps.c.organisation_id, apps.c.id)).order_by(apps.c.id)
    if organisation_id is not None:
        query = query.where(apps.c.organisation_id == organisation_id)
    if after is not None:
        query = query.where(apps.c.id > after)
    return [_app(row) for row in tx.execute(query.limit(limit))]


def apps_of_organisation(tx: Transaction, organisation_id: str) -> list[App]:
    rows = tx.execute(select(apps).where(apps.c.organisation_id == organisation_id).order_by(apps.c.id))
    return [_app(row) for row in rows]


def all_apps(tx: Transaction) -> list[App]:
    """Every app, for any caller: for the product's own work."""
    return [_app(row) for row in tx.execute(select(apps).order_by(apps.c.id))]


def update_app(tx: Transaction, app: App) -> None:
    tx.execute(update(apps).where(apps.c.id == app.id).values(_app_values(app)))


def delete_app(tx: Transaction, app_id: str) -> None:
    """Delete the app; every table that belongs to it follows by its foreign key."""
    tx.execute(delete(apps).where(apps.c.id == app_id))


def hold_apps(tx: Transaction, app_ids: Collection[str]) -> set[str]:
    """Those of the apps that there are; none of them is deleted before the transaction has ended."""
    query = select(apps.c.id).where(apps.c.id.in_(app_ids)).order_by(apps.c.id)
    return set(tx.execute(query.with_for_update(read=True, key_share=True)).scalars())


def reserve_slug(tx: Transaction, slug: str, organisation_id: str, until: int) -> None:
    """Keep the slug for the organisation until then, or for as long as it is kept already."""
    kept = tx.execute(
        select(reserved_slugs.c.until).where(
            reserved_slugs.c.slug == slug, reserved_slugs.c.organisation_id == organisation_id
        )
    ).scalar()
    tx.execute(delete(reserved_slugs).where(reserved_slugs.c.slug == slug))
    tx.execute(
        insert(reserved_slugs).values(slug=slug, organisation_id=organisation_id, until=max(until, kept or until))
    )


def slug_reserved_until(tx: Transaction, slug: str, organisation_id: str) -> int | None:
    """Until when another organisation's late app keeps the slug, in milliseconds since the epoch."""
    return tx.execute(
        select(reserved_slugs.c.until).where(
            reserved_slugs.c.slug == slug, reserved_slugs.c.organisation_id != organisation_id
        )
    ).scalar()


def count_apps(tx: Transaction, organisation_id: str) -> int:
    return tx.execute(select(func.count()).where(apps.c.organisation_id == organisation_id)).scalar() or 0


# Keys


def count_keys(tx: Transaction, organisation_id: str | None) -> int:
    """The keys of an organisation, or those of the whole installation."""
    return tx.execute(select(func.count()).where(api_keys.c.organisation_id == organisation_id)).scalar() or 0


def insert_key(tx: Transaction, key: ApiKey, digest: str) -> None:
    tx.execute(insert(api_keys).values(_key_values(key) | {"digest": digest}))


def find_key(tx: Transaction, principal: Principal, key_id: str) -> ApiKey | None:
    row = tx.execute(
        select(api_keys).where(
            api_keys.c.id == key_id, visible(principal, api_keys.c.organisation_id, api_keys.c.app_id)
        )
    ).first()
    return None if row is None else _key(row)


def key_by_digest(tx: Transaction, digest: str) -> ApiKey | None:
    row = tx.execute(select(api_keys).where(api_keys.c.digest == digest)).first()
    return None if row is None else _key(row)


def list_keys(tx: Transaction, principal: Principal, *, after: str | None, limit: int) -> list[ApiKey]:
    query = (
        select(api_keys)
        .where(visible(principal, api_keys.c.organisation_id, api_keys.c.app_id))
        .order_by(api_keys.c.id)
    )
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [_key(row) for row in tx.execute(query.limit(limit))]


def update_key(tx: Transaction, key: ApiKey) -> None:
    values = _key_values(key)
    del values["last_used_at"]  # kept by touch_keys alone
    tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(values))


def delete_key(tx: Transaction, key_id: str) -> None:
    tx.execute(delete(api_keys).where(api_keys.c.id == key_id))


def touch_keys(tx: Transaction, used: Mapping[str, int]) -> None:
    """Record when keys were last used, in milliseconds since the epoch by key id."""
    for key_id, at in used.items():
        tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=at))


# Rows to values and back


def _insert(tx: Transaction, table: Table, values: dict[str, Any]) -> bool:
    return _unrefused(tx, insert(table).values(values))


def _unrefused(tx: Transaction, statement: Executable) -> bool:
    """False when a constraint refuses the statement, which then has done nothing."""
    try:
        with tx.savepoint():
            tx.execute(statement)
    except IntegrityError:
        return False
    return True


def _app_values(app: App) -> dict[str, Any]:
    return values_of(app) | {"settings": msgspec.json.encode(app.settings.values).decode()}


def _app(row: Sequence[Any]) -> App:
    values = dict(zip(_APP_COLUMNS, row, strict=True))
    values["settings"] = _settings(values["settings"])
    return App(**values)


_APP_COLUMNS = tuple(apps.c.keys())


@lru_cache(maxsize=1024)
def _settings(text: str) -> AppSettings:
    return AppSettings.stored(msgspec.json.decode(text, type=dict[str, Any]))


def _key_values(key: ApiKey) -> dict[str, Any]:
    return values_of(key) | {"scopes": " ".join(key.scopes)}


def _key(row: Row[Any]) -> ApiKey:
    values = record(row)
    del values["digest"]
    values["scopes"] = tuple(values["scopes"].split())
    return ApiKey(**values)
