"""The table of cameras."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
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

from stagedoor.sources.cameras.nouns import Camera
from stagedoor.storage import Prepared, Transaction, metadata
from stagedoor.storage.records import values_of
from stagedoor.tenancy.store import apps

cameras = Table(
    "cameras",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("app_id", String(40), ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
    Column("livekit_room", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hint", String(8), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=True),
    Column("digest", String(64), nullable=False, unique=True),
    Index("ix_cameras_app_id", "app_id", "id"),
)

_NOUN = [column for column in cameras.c if column.name != "digest"]
_BY_DIGEST = Prepared(select(*_NOUN).where(cameras.c.digest == bindparam("digest")))  # asked for each connection
_SEEN = Prepared(update(cameras).where(cameras.c.id == bindparam("camera")).values(last_seen_at=bindparam("at")))


def insert_camera(tx: Transaction, camera: Camera, digest: str) -> None:
    tx.execute(insert(cameras).values(values_of(camera) | {"digest": digest}))


def camera_by_digest(tx: Transaction, digest: str) -> Camera | None:
    """The camera whose key has this hash."""
    rows = tx.rows(_BY_DIGEST, {"digest": digest})
    return _camera(rows[0]) if rows else None


def find_camera(tx: Transaction, app_id: str, camera_id: str) -> Camera | None:
    row = tx.execute(select(*_NOUN).where(cameras.c.app_id == app_id, cameras.c.id == camera_id)).first()
    return None if row is None else _camera(row)


def list_cameras(
    tx: Transaction, app_id: str, *, livekit_room: str | None, after: str | None, limit: int
) -> list[Camera]:
    query = select(*_NOUN).where(cameras.c.app_id == app_id).order_by(cameras.c.id)
    if livekit_room is not None:
        query = query.where(cameras.c.livekit_room == livekit_room)
    if after is not None:
        query = query.where(cameras.c.id > after)
    return [_camera(row) for row in tx.execute(query.limit(limit))]


def count_cameras(tx: Transaction, app_id: str) -> int:
    """Count the app's cameras and lock the app's row, so that no other transaction adds a camera concurrently."""
    tx.execute(select(apps.c.id).where(apps.c.id == app_id).with_for_update())
    return tx.execute(select(func.count()).select_from(cameras).where(cameras.c.app_id == app_id)).scalar_one()


def update_camera(tx: Transaction, camera: Camera) -> None:
    values = values_of(camera)
    del values["last_seen_at"]  # kept by note_seen alone
    tx.execute(update(cameras).where(cameras.c.id == camera.id).values(values))


def set_digest(tx: Transaction, camera: Camera, digest: str) -> None:
    """Replace the hash of a camera's key."""
    tx.execute(
        update(cameras)
        .where(cameras.c.id == camera.id)
        .values(digest=digest, hint=camera.hint, updated_at=camera.updated_at)
    )


def note_seen(tx: Transaction, camera_id: str, at: int) -> None:
    """Store when a camera connected or disconnected, in milliseconds since the epoch."""
    tx.run(_SEEN, {"camera": camera_id, "at": at})


def delete_camera(tx: Transaction, camera_id: str) -> None:
    tx.execute(delete(cameras).where(cameras.c.id == camera_id))


def digests_of(tx: Transaction, camera_ids: Collection[str]) -> dict[str, str]:
    """The hashes of the keys of those cameras that exist and are enabled."""
    query = select(cameras.c.id, cameras.c.digest).where(cameras.c.id.in_(camera_ids), cameras.c.enabled)
    return {row.id: row.digest for row in tx.execute(query)}


def _camera(row: Sequence[Any]) -> Camera:
    values = dict(zip(_NAMES, row, strict=True))
    values["enabled"] = bool(values["enabled"])  # a prepared statement gives SQLite's 0 and 1
    return Camera(**values)


_NAMES = tuple(column.name for column in _NOUN)
