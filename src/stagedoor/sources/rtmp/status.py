"""Statuses that encoders are sent about their stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One `onStatus`.

    Attributes:
        code: As Adobe's servers have it, such as `NetStream.Publish.BadName`.
        description: A sentence that encoders show or log.
    """

    level: Literal["status", "error"]
    code: str
    description: str


def started() -> StreamStatus:
    """The stream is taken. Encoders send from here on. Its name is its key, and encoders log what they are sent."""
    return StreamStatus("status", "NetStream.Publish.Start", "The stream is being published.")


def bad_name(description: str) -> StreamStatus:
    """The stream may not be published: the status at which encoders stop."""
    return StreamStatus("error", "NetStream.Publish.BadName", description)


def failed(description: str) -> StreamStatus:
    """The stream cannot go on."""
    return StreamStatus("error", "NetStream.Publish.Failed", description)


def unpublished() -> StreamStatus:
    """The stream has ended, as the encoder asked."""
    return StreamStatus("status", "NetStream.Unpublish.Success", "The stream is not published any more.")
