"""Sessions and participants as values, for tests of the state machine alone."""

from __future__ import annotations

from stagedoor.rooms.nouns import Participant, Session, TimeSource, Track

START = 1_760_000_000_000


def session(*, ended: TimeSource | None = None, disposition: str | None = None) -> Session:
    """One that began at `START`, and ended a minute later where `ended` says how we know."""
    return Session(
        "ses_1",
        "app_1",
        "demo",
        "live-demo",
        "RM_1",
        "ended" if ended else "active",
        START,
        "livekit",
        last_seen_at=START,
        changed_at=START,
        ended_at=START + 60_000 if ended else None,
        ended_at_source=ended,
        disposition=disposition,
    )


def came(
    reason: str | None = None,
    *,
    source: TimeSource = "received",
    at: int = 0,
    for_ms: int = 10_000,
    identity: str = "ann",
) -> Participant:
    """A participant who was there from `at` milliseconds after the start on, and has left."""
    return Participant(
        "ses_1", "PA_1" if identity == "ann" else f"PA_{identity}", identity, identity.title(),
        "standard", "left", START,
        START + at, "livekit", START + at + for_ms, source, reason,
    )  # fmt: skip


def tried(reason: str | None = None) -> Participant:
    """A participant who never arrived."""
    return Participant(
        "ses_1", "PA_2", "bob", "Bob", "standard", "aborted", START, left_at=START + 900, left_at_source="received",
        reason=reason,
    )  # fmt: skip


def track(*, unpublished: TimeSource | None = None) -> Track:
    """One that was published a second after the start, and ended ten later where `unpublished` says how we know."""
    return Track(
        "ses_1", "PA_1", "TR_1", "video", "camera", "video/vp8", START + 1000, "received", START,
        START + 11_000 if unpublished else None, unpublished,
    )  # fmt: skip
