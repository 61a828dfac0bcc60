"""What Stagedoor and its scribe say to each other: a JSON object a line, orders on standard input, the rest on output.

An attendance is one stay in one room: each attempt at it has an id of its own, so that the end of one is not taken for
the end of the next. It imports nothing of the product, because the scribe's process does not need the rest of it.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Attend(msgspec.Struct, tag="attend"):
    """Join a room and listen. `url` is LiveKit's, `token` a join token."""

    attendance: str
    url: str
    token: str
    chat: bool


class Leave(msgspec.Struct, tag="leave"):
    """Stop listening."""

    attendance: str


class Joined(msgspec.Struct, tag="joined"):
    """The room was joined; `room_sid` says which life of it."""

    attendance: str
    room_sid: str


class Heard(msgspec.Struct, tag="heard"):
    """A segment as it is now: whole, and told again when it grows. Times are milliseconds since the epoch."""

    attendance: str
    kind: Literal["speech", "chat"]
    speaker: str
    segment_id: str
    name: str
    track_sid: str | None
    language: str | None
    text: str
    final: bool
    started_at: int
    ended_at: int


class Gone(msgspec.Struct, tag="gone"):
    """The room was left, or could not be joined; everything that was heard in it has been told."""

    attendance: str
    reason: str


Order = Attend | Leave
Report = Joined | Heard | Gone
