"""A domain event as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Origin = Literal["webhook", "reconcile", "api"]
"""How we came to know: LiveKit told us, we found out by comparing, or a caller did it through us."""

EVENT_TYPES: dict[str, str] = {
    "session.started": "A room came to life.",
    "session.ended": "A room's life is over; `detail` has the disposition.",
    "session.reopened": "LiveKit lists a session that we had closed.",
    "participant.joined": "A participant became active.",
    "participant.left": "A participant left; `detail` has LiveKit's reason.",
    "participant.aborted": "A participant tried to come in and did not arrive.",
    "participant.reopened": "LiveKit lists a participant that we had closed.",
    "participant.updated": "A caller changed a participant.",
    "participant.removed": "A caller removed a participant, or a ban kept one out.",
    "track.published": "A track was published.",
    "track.unpublished": "A track is over.",
    "track.reopened": "LiveKit lists a track that we had closed.",
    "track.muted": "A caller muted or unmuted a track.",
    "room.created": "A caller created a room.",
    "room.updated": "A caller changed a room.",
    "room.deleted": "A caller ended a room.",
    "data.sent": "A caller sent data into a room.",
    "egress.started": "LiveKit's egress service began.",
    "egress.updated": "LiveKit's egress service reported a change.",
    "egress.ended": "LiveKit's egress service ended.",
    "ingress.started": "LiveKit's ingress service began to publish.",
    "ingress.ended": "LiveKit's ingress service ended.",
    "webhook.disabled": "An outgoing webhook's endpoint was disabled, because it went on failing.",
}
"""Every event type and what it means."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be stored.

    Attributes:
        at: When it happened, in milliseconds since the epoch.
        livekit_room: The room's LiveKit name.
        subject: What it is about: an identity, a track SID, a room name.
        detail: More, as JSON.
    """

    app_id: str
    type: str
    origin: Origin
    at: int
    livekit_room: str
    subject: str
    session_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event; `seq` grows in the order in which an app's events were committed."""

    seq: int
    app_id: str
    type: str
    origin: Origin
    at: int
    livekit_room: str
    subject: str
    session_id: str | None
    detail: Mapping[str, Any]
