"""Authenticates a device by its key and authorizes it to send, before its connection is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stagedoor.kernel.errors import Forbidden, Invalid, NotFound, Problem, TooMany, Unauthenticated
from stagedoor.kernel.rate import Rate
from stagedoor.kernel.wrong_keys import WrongKeys
from stagedoor.sources.cameras import store
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.storage import Database, GenerationCache, Transaction
from stagedoor.tenancy.keys import digest
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import livekit_name
from stagedoor.tenancy.store import app_by_id

_CONNECTIONS: Final = 60
"""Connections of one camera in a minute: a device that reconnects every second gets `Retry-After`."""


@dataclass(frozen=True, slots=True)
class AuthenticatedCamera:
    """A device that is authenticated and may send.

    Attributes:
        digest: The hash of the key that it authenticated with.
    """

    camera: Camera
    app: App
    digest: str


class CameraAuthenticator:
    """Authenticates cameras by their key.

    As with API keys, results are cached where this process is the only writer, until a camera or an app changes.
    """

    def __init__(self, database: Database) -> None:
        self._connects = Rate(_CONNECTIONS, 60)
        self._wrong_keys = WrongKeys()
        self._known = GenerationCache[str, AuthenticatedCamera](database)

    async def admit(self, app: str, room: str, key: str | None, address: str) -> AuthenticatedCamera:
        """Return the device with this key, if it may send to this room.

        Without a valid key the answer does not depend on what exists: 404 is for devices that have one.

        Args:
            app: The app's slug, as sent by the device.
            room: The room, by short or LiveKit name.
            key: The key that the device sent; `None` without one.
            address: The device's IP address.

        Raises:
            Unauthenticated: No camera has this key.
            TooMany: Too many wrong keys came from this address.
            NotFound: The camera is not of this app and room.
            Forbidden: The camera is disabled.
        """
        found = await self._find(digest(key)) if key else None
        if found is None:
            raise self._refused(address)
        if found.app.slug != app or not _same_room(found, room):
            raise NotFound("This key is for another app or room.", code="camera_not_found")
        if not found.camera.enabled:
            raise Forbidden("This camera is disabled.", code="camera_disabled")
        return found

    def connects(self, camera_id: str) -> None:
        """Count a connection of a camera.

        Raises:
            TooMany: The camera connects too often.
        """
        if not self._connects.take(camera_id):
            raise TooMany(
                "This camera connects too often; wait longer each time that a connection fails.",
                code="too_many_connections",
                headers={"Retry-After": str(self._connects.retry_after(camera_id))},
            )

    def forget(self) -> None:
        """Clear the cache, because a camera or an app has changed."""
        self._known.forget()

    def _refused(self, address: str) -> Problem:
        return self._wrong_keys.refusal(address) or Unauthenticated(
            "Send the camera's key: Authorization: Bearer wsk_…",
            code="bad_camera_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    async def _find(self, key_digest: str) -> AuthenticatedCamera | None:
        def look(tx: Transaction) -> AuthenticatedCamera | None:
            camera = store.camera_by_digest(tx, key_digest)
            app = None if camera is None else app_by_id(tx, camera.app_id)
            return None if camera is None or app is None else AuthenticatedCamera(camera, app, key_digest)

        return await self._known.get(key_digest, look)


def _same_room(found: AuthenticatedCamera, room: str) -> bool:
    try:
        return livekit_name(found.app.slug, room) == found.camera.livekit_room
    except Invalid:
        return False
