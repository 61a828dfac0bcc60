"""What a session used, from its participants and what they published, and how `session.ended` reports it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stagedoor.rooms import machine
from stagedoor.rooms.nouns import Participant, Role, Session, Track
from stagedoor.usage.meters import LONGEST_MS, Amounts, Meter, Span, minutes
from stagedoor.usage.store import Egress


def spans(
    participants: Iterable[Participant], tracks: Iterable[Track], egresses: Iterable[Egress], until: int
) -> list[Span]:
    """When each meter ran; what has not ended runs until `until`.

    A recorder is metered by LiveKit's own times of its egress, not by its presence. An identity is there once, however
    often it has connected.
    """
    found: list[Span] = []
    people = list(participants)
    meters: dict[Role, Meter] = {"person": "participant", "ingress": "ingress"}
    for role, meter in meters.items():
        stays = machine.presence([person for person in people if person.role == role], until)
        found.extend(Span(meter, start, end) for of_one in stays.values() for start, end in of_one)
    for track in tracks:
        if track.kind in {"audio", "video"}:
            meter = "audio_track" if track.kind == "audio" else "video_track"
            end = until if track.unpublished_at is None else track.unpublished_at
            found.append(Span(meter, track.published_at, end))
    for egress in egresses:
        found.append(Span("egress", egress.started_at, egress.ended_at))
        if egress.recording:
            found.append(Span("recording", egress.started_at, egress.ended_at))
    return [
        Span(span.meter, max(span.start, span.end - LONGEST_MS), span.end) for span in found if span.end > span.start
    ]


def session_ended_detail(session: Session, amounts: Amounts) -> dict[str, Any]:
    """The `detail` of `session.ended` and `session.corrected`."""
    return {
        "sessionId": session.id,
        "disposition": session.disposition,
        "durationMs": session.duration_ms if session.room_sid is not None else None,
        "usage": minutes(amounts),
    }
