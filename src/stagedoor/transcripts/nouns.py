"""A transcript and its segments as values. Times are milliseconds since the epoch, by our clock.

(asked for) -> recording -> ended -> archived
                   ^----------+---------+      the session is back, or it is asked for again
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TranscriptState = Literal["recording", "ended", "archived"]
TRANSCRIPT_STATES: Final[dict[TranscriptState, str]] = {
    "recording": "The session is transcribed, or is about to be.",
    "ended": "Transcribing has ended; it is being archived.",
    "archived": "It is in the object storage as JSON, WebVTT and plain text.",
}

SegmentKind = Literal["speech", "chat"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of a session.

    Attributes:
        chat: The chat (`lk.chat`) is recorded as well as speech (`lk.transcription`).
        joined_at: When the transcriber first joined; `None` until then.
        interruptions: How often transcribing was interrupted and resumed: what was spoken meanwhile is missing.
        truncated: It came to its largest size, and what followed was not stored.
    """

    session_id: str
    app_id: str
    state: TranscriptState
    chat: bool
    requested_at: int
    joined_at: int | None = None
    ended_at: int | None = None
    archived_at: int | None = None
    interruptions: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """An utterance or a chat message of a participant.

    Attributes:
        speaker: The participant's identity.
        segment_id: `lk.segment_id` of the stream, or the stream's own id; with the speaker it names the segment.
        name: The participant's name then.
        track_sid: The track that it was heard on, if it says so.
        language: As the transcriber tagged it, such as `en-GB`.
        final: False for interim text that no final text followed.
        started_at: When its first words came; words come a little after they were spoken.
        ended_at: When its last change came.
    """

    kind: SegmentKind
    speaker: str
    segment_id: str
    name: str
    track_sid: str | None
    language: str | None
    text: str
    final: bool
    started_at: int
    ended_at: int
