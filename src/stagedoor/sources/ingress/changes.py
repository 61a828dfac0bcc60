"""What the events of an ingress say."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from stagedoor.events.nouns import NewEvent
from stagedoor.rooms import presence
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import Audio, EventName, State, Video
from stagedoor.storage import Transaction


def new_event(
    tx: Transaction, ingress: Ingress, event: EventName, before: State, after: State, at: int, reason: str | None = None
) -> NewEvent:
    """The event of a transition.

    Args:
        tx: The transaction, to find the room's session in.
        ingress: Whose transition it is.
        event: Its type.
        before: The state before it.
        after: The state after it.
        at: When it happened.
        reason: Why it ended.
    """
    session = presence.open_sessions_of_rooms(tx, {ingress.livekit_room}).get(ingress.livekit_room)
    detail: dict[str, Any] = {
        "ingressId": ingress.id,
        "inputType": ingress.input_type,
        "identity": ingress.identity,
        "name": ingress.name,
    }
    if event in {"ingress.started", "ingress.updated"}:
        detail |= {"status": after.status, "video": _camel(after.video), "audio": _camel(after.audio)}
    if event == "ingress.ended":
        detail |= {"reason": reason}
    if after.error is not None:
        detail |= {"error": {"code": after.error.code, "message": after.error.message}}
    if event in {"ingress.ended", "ingress.failed"}:
        began = before.started_at
        detail |= {"durationMs": 0 if began is None else max(0, at - began), "restarts": before.restarts}
    session_id = None if session is None else session.id
    return NewEvent(ingress.app_id, event, "api", at, ingress.livekit_room, ingress.identity, session_id, detail)


def _camel(value: Video | Audio | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {_wire(field.name): getattr(value, field.name) for field in fields(value)}


def _wire(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
