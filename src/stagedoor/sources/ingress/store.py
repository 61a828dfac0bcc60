"""The tables of ingresses and of their states."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import LIVE, Audio, Failure, State, Status, Video
from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import values_of
from stagedoor.tenancy.store import apps

ingresses = Table(
    "ingresses",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("input_type", String(10), nullable=False),
    Column("identity", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("transcoding", String(10), nullable=False),
    Column("layers", String(10), nullable=False, server_default="single"),
    Column("start", String(10), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("engine", String(10), nullable=False),
    Column("livekit_id", Text, nullable=True, unique=True),
    Column("url", Text, nullable=True),
    Column("hint", String(8), nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("digest", String(64), nullable=True, unique=True),
    Column("sealed_url", LargeBinary, nullable=True),
    Index("ix_ingresses_app_id", "app_id", "id"),
    Index("ix_ingresses_livekit_room", "livekit_room", "identity"),
)

# A row from the first publication on. `publication` is the one that may write it; a lease has it while it is live.
# `finished_version` is the `updated_at` of the ingress whose pull is finished, until `finished_until` if that is set.
states = Table(
    "ingress_states",
    metadata,
    Column("ingress_id", String(40), ForeignKey("ingresses.id", ondelete="CASCADE"), primary_key=True),
    Column("status", String(12), nullable=False),
    Column("error_code", String(40), nullable=True),
    Column("error_message", Text, nullable=True),
    Column("started_at", BigInteger, nullable=True),
    Column("participant_sid", Text, nullable=True),
    Column("video", Text, nullable=True),
    Column("audio", Text, nullable=True),
    Column("restarts", Integer, nullable=False),
    Column("last_frame_at", BigInteger, nullable=True),
    Column("node", String(64), nullable=True),
    Column("publication", String(40), nullable=True),
    Column("lease_until", BigInteger, nullable=True),
    Column("finished_version", BigInteger, nullable=True),
    Column("finished_until", BigInteger, nullable=True),
    Index("ix_ingress_states_lease_until", "lease_until"),
)

_SECRETS: Final = ("digest", "sealed_url")
_NOUN = [column for column in ingresses.c if column.name not in _SECRETS]
_BY_DIGEST = Prepared(select(*_NOUN).where(ingresses.c.digest == bindparam("digest")))  # asked for each connection


@dataclass(frozen=True, slots=True)
class Stored:
    """An ingress's state as it is stored.

    Attributes:
        node: The node that it is live on.
        publication: The publication that may change it.
        lease_until: Until when the node is taken to be there, in milliseconds since the epoch.
    """

    ingress_id: str
    state: State
    node: str | None = None
    publication: str | None = None
    lease_until: int | None = None


def insert_ingress(tx: Transaction, ingress: Ingress, digest: str | None, sealed_url: bytes | None) -> None:
    tx.execute(insert(ingresses).values(values_of(ingress) | {"digest": digest, "sealed_url": sealed_url}))


def ingress_by_digest(tx: Transaction, digest: str) -> Ingress | None:
    """The ingress whose key has this hash."""
    rows = tx.rows(_BY_DIGEST, {"digest": digest})
    return _ingress(rows[0]) if rows else None


def find_ingress(tx: Transaction, app_id: str, ingress_id: str) -> Ingress | None:
    row = tx.execute(select(*_NOUN).where(ingresses.c.app_id == app_id, ingresses.c.id == ingress_id)).first()
    return None if row is None else _ingress(row)


def ingress_by_livekit_id(tx: Transaction, app_id: str, livekit_id: str) -> Ingress | None:
    """The app's ingress that LiveKit's service knows by this id."""
    query = select(*_NOUN).where(ingresses.c.app_id == app_id, ingresses.c.livekit_id == livekit_id)
    row = tx.execute(query).first()
    return None if row is None else _ingress(row)


def list_ingresses(
    tx: Transaction, app_id: str, *, livekit_room: str | None, after: str | None, limit: int
) -> list[Ingress]:
    query = select(*_NOUN).where(ingresses.c.app_id == app_id).order_by(ingresses.c.id)
    if livekit_room is not None:
        query = query.where(ingresses.c.livekit_room == livekit_room)
    if after is not None:
        query = query.where(ingresses.c.id > after)
    return [_ingress(row) for row in tx.execute(query.limit(limit))]


def lock_ingresses(tx: Transaction, app_id: str) -> None:
    """Lock the app's row, so that no other transaction adds an ingress to it concurrently."""
    tx.execute(select(apps.c.id).where(apps.c.id == app_id).with_for_update())


def count_ingresses(tx: Transaction, app_id: str) -> int:
    return tx.execute(select(func.count()).select_from(ingresses).where(ingresses.c.app_id == app_id)).scalar_one()


def has_identity(tx: Transaction, livekit_room: str, identity: str, *, other_than: str | None = None) -> bool:
    """Whether another ingress of the room has the identity."""
    query = select(ingresses.c.id).where(ingresses.c.livekit_room == livekit_room, ingresses.c.identity == identity)
    if other_than is not None:
        query = query.where(ingresses.c.id != other_than)
    return tx.execute(query.limit(1)).first() is not None


def update_ingress(tx: Transaction, ingress: Ingress) -> None:
    tx.execute(update(ingresses).where(ingresses.c.id == ingress.id).values(values_of(ingress)))


def set_digest(tx: Transaction, ingress_id: str, digest: str) -> None:
    """Replace the hash of an ingress's key."""
    tx.execute(update(ingresses).where(ingresses.c.id == ingress_id).values(digest=digest))


def set_sealed_url(tx: Transaction, ingress_id: str, sealed_url: bytes) -> None:
    """Replace the URL that is pulled."""
    tx.execute(update(ingresses).where(ingresses.c.id == ingress_id).values(sealed_url=sealed_url))


def sealed_url(tx: Transaction, ingress_id: str) -> bytes | None:
    """The URL that is pulled, with its credentials, sealed."""
    return tx.execute(select(ingresses.c.sealed_url).where(ingresses.c.id == ingress_id)).scalar()


def delete_ingress(tx: Transaction, ingress_id: str) -> None:
    tx.execute(delete(ingresses).where(ingresses.c.id == ingress_id))


def states_of(tx: Transaction, ingress_ids: Collection[str]) -> dict[str, State]:
    """The states of those that have ever published."""
    if not ingress_ids:
        return {}
    rows = tx.execute(select(states).where(states.c.ingress_id.in_(ingress_ids)))
    return {row.ingress_id: _stored(row).state for row in rows}


def stored_of(tx: Transaction, ingress_id: str, *, lock: bool = False) -> Stored | None:
    """The stored state of one; with `lock` no other transaction changes it until this one has ended."""
    query = select(states).where(states.c.ingress_id == ingress_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _stored(row)


def save_state(tx: Transaction, stored: Stored) -> None:
    """Insert it, or replace what is there."""
    values = _state_values(stored)
    if tx.execute(update(states).where(states.c.ingress_id == stored.ingress_id).values(values)).rowcount == 0:
        tx.execute(insert(states).values(values))


def save_existing_state(tx: Transaction, stored: Stored) -> None:
    """As `save_state`, unless the ingress was deleted."""
    found = tx.execute(select(ingresses.c.id).where(ingresses.c.id == stored.ingress_id).with_for_update(read=True))
    if found.first() is not None:
        save_state(tx, stored)


def livekit_ids(tx: Transaction, app_id: str) -> list[str]:
    """What LiveKit's Ingress service calls the app's ingresses that it runs."""
    query = select(ingresses.c.livekit_id).where(ingresses.c.app_id == app_id, ingresses.c.livekit_id.is_not(None))
    return [row[0] for row in tx.execute(query)]


def renew_leases(tx: Transaction, publications: Collection[str], until: int) -> set[str]:
    """Renew the leases of publications; those of them that are stored as live."""
    mine = and_(states.c.publication.in_(publications), states.c.status.in_(LIVE))
    tx.execute(update(states).where(mine).values(lease_until=until))
    return set(tx.execute(select(states.c.publication).where(mine)).scalars())


def has_left_over(tx: Transaction, now: int) -> bool:
    """Whether a lease has ended."""
    return tx.execute(select(states.c.ingress_id).where(states.c.lease_until < now).limit(1)).first() is not None


def apps_of_left_over(tx: Transaction, now: int, node: str | None) -> set[str]:
    """The apps of the states that `left_over` finds."""
    query = select(ingresses.c.app_id).join(states, states.c.ingress_id == ingresses.c.id)
    return set(tx.execute(query.where(_is_left_over(now, node))).scalars())


def left_over(tx: Transaction, now: int, node: str | None) -> list[tuple[Ingress, Stored]]:
    """The live states that no node keeps any more: their leases have ended, or they are of this node, which has
    restarted. No other transaction changes them until this one has ended."""
    query = select(states).where(_is_left_over(now, node)).with_for_update(skip_locked=True)
    found = [_stored(row) for row in tx.execute(query)]
    if not found:
        return []
    rows = tx.execute(select(*_NOUN).where(ingresses.c.id.in_([stored.ingress_id for stored in found])))
    known = {ingress.id: ingress for ingress in map(_ingress, rows)}
    return [(known[stored.ingress_id], stored) for stored in found]


def _is_left_over(now: int, node: str | None) -> ColumnElement[bool]:
    gone = states.c.lease_until < now
    return gone if node is None else and_(states.c.lease_until.is_not(None), or_(gone, states.c.node == node))


def count_live(tx: Transaction, app_id: str, now: int, *, other_than: str) -> int:
    """How many ingresses of the app are live, on any node; another transaction counts them when this one has ended."""
    tx.lock("ingress", [app_id])
    query = (
        select(func.count())
        .select_from(states.join(ingresses, ingresses.c.id == states.c.ingress_id))
        .where(
            ingresses.c.app_id == app_id,
            ingresses.c.id != other_than,
            states.c.status.in_(LIVE),
            states.c.lease_until >= now,
        )
    )
    return tx.execute(query).scalar_one()


@dataclass(frozen=True, slots=True)
class Permitted:
    """What the tables say of an ingress that publishes now.

    Attributes:
        digest: The hash of its key; `None` for one without a key.
        publication: The publication that may change its state.
    """

    ingress: Ingress
    digest: str | None
    publication: str | None


def permitted(tx: Transaction, ingress_ids: Collection[str]) -> dict[str, Permitted]:
    """Those of the ingresses that exist."""
    query = (
        select(*_NOUN, ingresses.c.digest, states.c.publication)
        .select_from(ingresses.outerjoin(states, states.c.ingress_id == ingresses.c.id))
        .where(ingresses.c.id.in_(ingress_ids))
    )
    found: dict[str, Permitted] = {}
    for row in tx.execute(query):
        *noun, digest, publication = tuple[Any, ...](row)
        ingress = _ingress(noun)
        found[ingress.id] = Permitted(ingress, digest, publication)
    return found


def _state_values(stored: Stored) -> dict[str, Any]:
    state = stored.state
    return {
        "ingress_id": stored.ingress_id,
        "status": state.status,
        "error_code": state.error and state.error.code,
        "error_message": state.error and state.error.message,
        "started_at": state.started_at,
        "participant_sid": state.participant_sid,
        "video": _text(state.video),
        "audio": _text(state.audio),
        "restarts": state.restarts,
        "last_frame_at": state.last_frame_at,
        "node": stored.node,
        "publication": stored.publication,
        "lease_until": stored.lease_until,
    }


def _text(value: Video | Audio | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _stored(row: Any) -> Stored:
    values: Mapping[str, Any] = row._asdict()
    error = values["error_code"] and Failure(values["error_code"], values["error_message"] or "")
    state = State(
        cast("Status", values["status"]),
        error or None,
        values["started_at"],
        values["participant_sid"],
        msgspec.json.decode(values["video"], type=Video) if values["video"] else None,
        msgspec.json.decode(values["audio"], type=Audio) if values["audio"] else None,
        values["restarts"],
        values["last_frame_at"],
    )
    return Stored(values["ingress_id"], state, values["node"], values["publication"], values["lease_until"])


def _ingress(row: Sequence[Any]) -> Ingress:
    values = dict(zip(_NAMES, row, strict=True))
    values["enabled"] = bool(values["enabled"])  # a prepared statement gives SQLite's 0 and 1
    return Ingress(**values)


_NAMES = tuple(column.name for column in _NOUN)
