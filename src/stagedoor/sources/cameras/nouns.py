"""A camera as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that may push frames into one room, without its key. Times are milliseconds since the epoch.

    Attributes:
        livekit_room: The LiveKit name of its room.
        identity: The identity of its participant when it is bridged to LiveKit.
        hint: The last four characters of its key, so that a person can tell keys apart.
        enabled: False keeps it out for as long as it is.
        last_seen_at: When it last connected or went away; `None` when it never did.
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
