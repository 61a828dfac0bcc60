"""A domain event as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Origin = Literal["webhook", "reconcile", "api"]
"""Where an event comes from: LiveKit's webhook, the reconcile with LiveKit's lists, or a call of the API."""


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
    """A stored event.

    Attributes:
        seq: Grows in the order in which an app's events were committed.
        trace: W3C `traceparent` of what caused it.
    """

    seq: int
    app_id: str
    type: str
    origin: Origin
    at: int
    livekit_room: str
    subject: str
    session_id: str | None
    detail: Mapping[str, Any]
    trace: str | None = None


class FeedEvent(NamedTuple):
    """A stored event as the feed passes it on: `detail` is the JSON text, which is not read on the way."""

    seq: int
    type: str
    origin: Origin
    at: int
    livekit_room: str
    subject: str
    session_id: str | None
    detail: str
