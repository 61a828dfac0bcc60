"""What is sent for an event."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from stagedoor.events.nouns import Event
from stagedoor.kernel.clock import rfc3339
from stagedoor.tenancy import room_names
from stagedoor.tenancy.nouns import App

TEST_TYPE: Final = "webhook.test"


def message_id(seq: int) -> str:
    """`webhook-id` of an event: the same at every attempt, for every endpoint, and when it is sent again."""
    return f"evt_{seq:016d}"


def message(app: App, event: Event) -> bytes:
    """The body, in the form that Standard Webhooks recommends."""
    parts = room_names.split(event.livekit_room)
    return msgspec.json.encode(
        {
            "id": message_id(event.seq),
            "type": event.type,
            "timestamp": rfc3339(event.at),
            "data": data(app, event, parts[1] if parts else None),
        }
    )


def data(app: App, event: Event, room: str | None) -> dict[str, Any]:
    """What happened: where, about what, how we know, and the type's own fields."""
    return {
        "organisation": app.organisation_id,
        "app": app.slug,
        "room": room,
        "livekitRoom": event.livekit_room,
        "sessionId": event.session_id,
        "subject": event.subject,
        "origin": event.origin,
        **event.detail,
    }


def test_message(test_id: str, at: int, endpoint_id: str) -> bytes:
    """What the test button sends."""
    return msgspec.json.encode(
        {"id": test_id, "type": TEST_TYPE, "timestamp": rfc3339(at), "data": {"endpoint": endpoint_id}}
    )
