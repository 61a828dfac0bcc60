"""A camera as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that may push frames into one room, without its key. Times are milliseconds since the epoch.

    Attributes:
        livekit_room: The LiveKit name of the camera's room.
        identity: The identity of the camera's participant when it is bridged to LiveKit.
        hint: The last four characters of the camera's key, so that a person can distinguish keys.
        enabled: Whether the camera may send.
        last_seen_at: When the camera last connected or disconnected; `None` if never.
    """

    id: str
    app_id: str
    livekit_room: str
    identity: str
    name: str
    hint: str
    enabled: bool
    created_at: int
    updated_at: int
    last_seen_at: int | None = None
