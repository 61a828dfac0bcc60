"""A domain event as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from stagedoor.storage import Transaction

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
        about: What the event is about as a value, for reactions; it is not stored.
        trace: W3C `traceparent` of what caused it; by default of the span in which it is stored.
    """

    app_id: str
    type: str
    origin: Origin
    at: int
    livekit_room: str
    subject: str
    session_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    about: Any = None
    trace: str | None = None


Reaction = Callable[[Transaction, NewEvent], object]
"""What a folder does about an event of a type, in the transaction that stores it."""


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
