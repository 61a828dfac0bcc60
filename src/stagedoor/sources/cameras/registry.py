"""Creates, changes and deletes an app's cameras, and rotates their keys. A key is shown once and stored as a hash."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from stagedoor.access.identities import check_identity
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import NotFound, TooMany
from stagedoor.kernel.ids import new_id
from stagedoor.rooms.rooms import known_or_new
from stagedoor.sources.cameras import store
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import App

KEY_PREFIX: Final = "wsk_"
DEFAULT_IDENTITY: Final = "camera"


def create(tx: Transaction, app: App, room: str, identity: str | None, name: str | None) -> tuple[Camera, str]:
    """Create a camera for a room; the second value is the camera's key, which cannot be retrieved later.

    Args:
        tx: The transaction.
        app: The app that owns the camera.
        room: The room, by short or LiveKit name.
        identity: The identity of the camera's participant when it is bridged; `camera` if not given.
        name: The display name; the identity if not given.

    Raises:
        Invalid: There is no such room and the name is not valid for a new one, or the identity is not valid.
        TooMany: The app has reached its `cameraLimit`.
    """
    if identity is not None:
        check_identity(identity)
    livekit_room = known_or_new(tx, app, room)
    limit = app.settings.of(CameraSettings).limit
    if store.count_cameras(tx, app.id) >= limit:
        raise TooMany(
            f"This app has {limit} cameras, which is the most it may have: its setting cameraLimit.",
            code="too_many_cameras",
            extra={"limit": limit},
        )
    now = now_ms()
    key = _new_key()
    identity = identity or DEFAULT_IDENTITY
    camera = Camera(new_id("cam"), app.id, livekit_room, identity, name or identity, key[-4:], True, now, now)
    store.insert_camera(tx, camera, digest(key))
    return camera, key


def get(tx: Transaction, app: App, camera_id: str) -> Camera:
    """The app's camera with this id.

    Raises:
        NotFound: The app has no such camera.
    """
    camera = store.find_camera(tx, app.id, camera_id)
    if camera is None:
        raise NotFound("There is no such camera.", code="camera_not_found")
    return camera


def change(
    tx: Transaction, app: App, camera_id: str, *, name: str | None, identity: str | None, enabled: bool | None
) -> Camera:
    """Change the given fields of a camera."""
    before = get(tx, app, camera_id)
    if identity is not None and identity != before.identity:
        check_identity(identity)
    after = replace(
        before,
        name=name or before.name,
        identity=identity or before.identity,
        enabled=before.enabled if enabled is None else enabled,
        updated_at=now_ms(),
    )
    store.update_camera(tx, after)
    return after


def rotate(tx: Transaction, app: App, camera_id: str) -> tuple[Camera, str]:
    """Replace a camera's key; the old one is no longer valid."""
    before = get(tx, app, camera_id)
    key = _new_key()
    after = replace(before, hint=key[-4:], updated_at=now_ms())
    store.set_digest(tx, after, digest(key))
    return after, key


def remove(tx: Transaction, app: App, camera_id: str) -> Camera:
    """Delete a camera and return it."""
    camera = get(tx, app, camera_id)
    store.delete_camera(tx, camera.id)
    return camera


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


async def is_registered(database: Database, app_id: str, livekit_room: str) -> bool:
    """Whether the room has a camera, sending or not."""

    def look(tx: Transaction) -> bool:
        return bool(store.list_cameras(tx, app_id, livekit_room=livekit_room, after=None, limit=1))

    return await database.read(look)
