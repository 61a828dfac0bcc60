"""What Stagedoor and its transcriber's process say to each other: a JSON object a line, orders on standard input,
reports on standard output.

A subscription is one stay in one room: each attempt at it has an id of its own, so that the end of one is not taken for
the end of the next. This module imports nothing of the product, because the process does not need the rest of it.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Subscribe(msgspec.Struct, tag="subscribe"):
    """Join a room and read its text streams. `url` is LiveKit's, `token` a join token."""

    subscription: str
    url: str
    token: str
    chat: bool


class Unsubscribe(msgspec.Struct, tag="unsubscribe"):
    """Leave the room."""

    subscription: str


class Joined(msgspec.Struct, tag="joined"):
    """The room was joined; `room_sid` says which life of it."""

    subscription: str
    room_sid: str


class TextStream(msgspec.Struct, tag="text"):
    """A text stream as far as it has come; reported again when it grows. Times are milliseconds since the epoch.

    Attributes:
        number: Its place among the streams of the subscription, in the order in which they were opened.
        stream_id: LiveKit's id of the stream.
        segment_id: `lk.segment_id`: streams that have the same are versions of one segment. `None` if it is not given.
        state: It grows, its sender closed it, or it was broken off.
        final: What the sender says of it (`lk.transcription_final`); `None` when the sender says nothing.
    """

    subscription: str
    kind: Literal["speech", "chat"]
    number: int
    stream_id: str
    segment_id: str | None
    speaker: str
    name: str
    track_sid: str | None
    language: str | None
    text: str
    state: Literal["open", "closed", "broken"]
    final: bool | None
    started_at: int
    ended_at: int


class Left(msgspec.Struct, tag="left"):
    """The room was left, or could not be joined; every stream that was read in it has been reported."""

    subscription: str
    reason: str


Order = Subscribe | Unsubscribe
Report = Joined | TextStream | Left
