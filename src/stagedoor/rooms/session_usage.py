"""What a session used, from who was there and what they published; and telling it, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from stagedoor.rooms.nouns import Participant, Session, Track
from stagedoor.usage.meters import Amounts, Meter, Span, minutes
from stagedoor.usage.store import Egress

_OF_KIND: Final[dict[str, Meter | None]] = {"ingress": "ingress", "egress": None}
"""Who is not a participant for the meter. An egress is metered by LiveKit's own times, not by its presence."""


def spans(
    participants: Iterable[Participant], tracks: Iterable[Track], egresses: Iterable[Egress], until: int
) -> list[Span]:
    """When each meter ran; what has not ended runs until `until`."""
    found: list[Span] = []
    for person in participants:
        meter = _OF_KIND.get(person.kind, "participant")
        if meter is not None and person.joined_at is not None:
            found.append(Span(meter, person.joined_at, until if person.left_at is None else person.left_at))
    for track in tracks:
        if track.kind in {"audio", "video"}:
            meter = "audio_track" if track.kind == "audio" else "video_track"
            end = until if track.unpublished_at is None else track.unpublished_at
            found.append(Span(meter, track.published_at, end))
    for egress in egresses:
        found.append(Span("egress", egress.started_at, egress.ended_at))
        if egress.recording:
            found.append(Span("recording", egress.started_at, egress.ended_at))
    return [span for span in found if span.end > span.start]


def said(session: Session, amounts: Amounts) -> dict[str, Any]:
    """The `detail` of `session.ended` and `session.corrected`."""
    return {
        "sessionId": session.id,
        "disposition": session.disposition,
        "durationMs": session.duration_ms if session.room_sid is not None else None,
        "usage": minutes(amounts),
    }
