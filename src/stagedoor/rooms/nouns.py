"""Rooms, sessions, participants and tracks as values. Times are milliseconds since the epoch.

Their fields are in the order of their tables' columns: `store` makes them of rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from stagedoor.rooms.settings import TranscriptPolicy

SESSION: Final = "ses"
"""What the ids of sessions begin with."""

SESSION_ID_LENGTH: Final = len(SESSION) + 27
"""Characters of a session's id: the prefix, an underscore and a ULID."""

SESSION_ATTRIBUTE: Final = "stagedoor.session"
"""The participant attribute that says which announced session a token was minted for."""

SessionState = Literal["created", "active", "ended"]
ParticipantState = Literal["joining", "active", "left", "aborted"]
TimeSource = Literal["livekit", "received", "reconcile", "session_end"]
"""Where a time comes from: LiveKit's own clock, our clock at receipt, the last list of LiveKit's that still had the
thing, or an end that it cannot have outlived: of the session, of the participant, or of a track that we first heard of
when it was over."""
Role = Literal["person", "ingress", "recorder"]
"""What a participant is in a room. Only a recorder (LiveKit's egress service) does not take part: it is in no count,
and its presence is no call. An ingress takes part, but is metered by itself and cannot answer a call."""

_RECORDER: Final = re.compile(r"EG_[A-Za-z0-9]{12}")
"""The identity of an egress is its id; egress services before 1.8 join without a kind."""

INFERRED: Final[frozenset[TimeSource]] = frozenset({"reconcile", "session_end"})
"""Sources that are no event of LiveKit's."""


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What LiveKit holds a room to. Times in seconds; `None` and 0 are LiveKit's own default, or no limit."""

    empty_timeout: int | None = None
    departure_timeout: int | None = None
    max_participants: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and where it comes from."""

    at: int
    source: TimeSource


@dataclass(frozen=True, slots=True)
class Room:
    """A named place in an app; it outlives its sessions."""

    id: str
    app_id: str
    name: str
    livekit_room: str
    metadata: str
    created_at: int
    updated_at: int
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One life of a room, keyed by LiveKit's room SID.

    Attributes:
        room_sid: `None` for one that was announced and has not begun, or never did.
        started_at: Of one that has not begun, when it was announced.
        last_seen_at: When LiveKit last confirmed that the room lives.
        changed_at: When we last changed its state, by our clock.
    """

    id: str
    app_id: str
    room: str
    livekit_room: str
    room_sid: str | None
    state: SessionState
    started_at: int
    started_at_source: TimeSource
    last_seen_at: int
    changed_at: int
    ended_at: int | None = None
    ended_at_source: TimeSource | None = None
    disposition: str | None = None
    active_participants: int = 0
    peak_participants: int = 0

    @property
    def duration_ms(self) -> int | None:
        return None if self.ended_at is None else max(0, self.ended_at - self.started_at)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backend announced of a session. Limits are seconds; `None` is LiveKit's own default, or no limit.

    Attributes:
        agents: Names of agents that LiveKit calls into the room, and the metadata of each.
        wait_until: A room that has not come by then does not come.
        cleaned_at: When its agents were called off and its bans lifted.
        transcript: What is recorded of it; `None` leaves it to the app.
    """

    session_id: str
    kind: Literal["voice", "video"]
    metadata: str
    agents: tuple[tuple[str, str], ...]
    max_duration: int | None
    empty_timeout: int | None
    departure_timeout: int | None
    max_participants: int | None
    created_at: int
    wait_until: int
    cleaned_at: int | None
    transcript: TranscriptPolicy | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant of a session, keyed by LiveKit's participant SID.

    Attributes:
        joined_at: When it became active; `None` while it has not, and for one that never did.
        changed_at: When we last changed its state, by our clock.
    """

    session_id: str
    sid: str
    identity: str
    name: str
    kind: str
    state: ParticipantState
    changed_at: int
    joined_at: int | None = None
    joined_at_source: TimeSource | None = None
    left_at: int | None = None
    left_at_source: TimeSource | None = None
    reason: str | None = None

    @property
    def role(self) -> Role:
        """What it is in the room: the one place where LiveKit's kinds are distinguished."""
        if self.kind == "egress" or (self.kind == "standard" and _RECORDER.fullmatch(self.identity)):
            return "recorder"
        return "ingress" if self.kind == "ingress" else "person"

    @property
    def takes_part(self) -> bool:
        """Whether it counts among the participants of the session."""
        return self.role != "recorder"

    @property
    def open(self) -> bool:
        return self.state in {"joining", "active"}

    @property
    def duration_ms(self) -> int | None:
        if self.joined_at is None or self.left_at is None:
            return None
        return max(0, self.left_at - self.joined_at)


@dataclass(frozen=True, slots=True)
class Track:
    """A track that a participant published, keyed by LiveKit's track SID."""

    session_id: str
    participant_sid: str
    sid: str
    kind: str
    source: str
    mime_type: str
    published_at: int
    published_at_source: TimeSource
    changed_at: int
    unpublished_at: int | None = None
    unpublished_at_source: TimeSource | None = None

    @property
    def open(self) -> bool:
        return self.unpublished_at is None
