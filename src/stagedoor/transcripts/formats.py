"""A transcript as JSON, WebVTT (https://www.w3.org/TR/webvtt1/) and plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from stagedoor.kernel.clock import rfc3339
from stagedoor.kernel.texts import shows_nothing
from stagedoor.rooms.nouns import Session
from stagedoor.transcripts.nouns import Segment, Transcript

Format = Literal["json", "vtt", "txt"]


@dataclass(frozen=True, slots=True)
class Whole:
    """A transcript with everything that a file of it says."""

    app: str
    session: Session
    transcript: Transcript
    segments: Sequence[Segment]


def as_json(whole: Whole) -> bytes:
    """Everything, times as RFC 3339 and as milliseconds from the session's start."""
    return msgspec.json.encode(fields(whole))


def fields(whole: Whole) -> dict[str, Any]:
    """What the JSON says."""
    session, transcript = whole.session, whole.transcript
    return {
        "session": session.id,
        "app": whole.app,
        "room": session.room,
        "livekitRoom": session.livekit_room,
        "state": transcript.state,
        "chat": transcript.chat,
        "startedAt": _when(transcript.joined_at),
        "endedAt": _when(transcript.ended_at),
        "interruptions": transcript.interruptions,
        "truncated": transcript.truncated,
        "segments": [
            {
                "kind": segment.kind,
                "id": segment.segment_id,
                "speaker": segment.speaker,
                "name": segment.name or None,
                "trackSid": segment.track_sid,
                "language": segment.language,
                "text": segment.text,
                "final": segment.final,
                "startedAt": rfc3339(segment.started_at),
                "endedAt": rfc3339(segment.ended_at),
                "offsetMs": max(0, segment.started_at - session.started_at),
            }
            for segment in whole.segments
        ],
    }


def as_vtt(whole: Whole) -> bytes:
    """Cues with the speaker as their voice, from the session's start. What was written in the chat is a cue too."""
    cues = ["WEBVTT\n"]
    for segment in whole.segments:
        text = _one_line(segment.text)
        if not text:
            continue
        start = max(0, segment.started_at - whole.session.started_at)
        end = max(start + _SHORTEST_MS, segment.ended_at - whole.session.started_at)
        voice = _escaped(speaker_label(segment))
        spoken = _escaped(text)
        if segment.language:
            spoken = f"<lang {_escaped(segment.language)}>{spoken}</lang>"
        cues.append(f"{_clock(start)} --> {_clock(end)}\n<v {voice}>{spoken}\n")
    return "\n".join(cues).encode()


def as_txt(whole: Whole) -> bytes:
    """A line for each segment: time from the session's start, speaker, text."""
    lines = [
        f"[{_clock(max(0, segment.started_at - whole.session.started_at))[:8]}] {speaker_label(segment)}: {text}\n"
        for segment in whole.segments
        if (text := _one_line(segment.text))
    ]
    return "".join(lines).encode()


def speaker_label(segment: Segment) -> str:
    """The speaker in a line of the file: the name, or the identity when the name shows nothing.

    Controls of the direction of text are written as escapes: `\\u202e` in a name would turn round the rest of the line.
    """
    name = segment.speaker if shows_nothing(segment.name) else segment.name
    return _BIDI_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", _one_line(name)) or "?"


def _one_line(text: str) -> str:
    """The text in one line, without controls: a terminal that shows the file would obey them."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_BIDI_CONTROLS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates (Unicode annex 9). Marks such as U+200F, which Hebrew and Arabic names may have,
end nothing and turn nothing round."""

FORMATS: Final[dict[Format, tuple[str, Callable[[Whole], bytes]]]] = {
    "json": ("application/json", as_json),
    "vtt": ("text/vtt; charset=utf-8", as_vtt),
    "txt": ("text/plain; charset=utf-8", as_txt),
}

_SHORTEST_MS: Final = 500
"""A cue that ends as it begins is never shown."""


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _clock(ms: int) -> str:
    seconds, thousandths = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"


def _escaped(text: str) -> str:
    """Cue text has tags and entities; `-->` in it would end the cue's header."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
