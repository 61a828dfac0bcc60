"""What an HLS of a room shows: the one place that decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.streams.media.stream import MediaStream


@dataclass(frozen=True, slots=True)
class RoomNow:
    """A room.

    Attributes:
        streams: What is sent to it by encoders and pulled URLs of this node, the oldest first.
        shown: What its HLS shows now.
        others: Whether others publish in it too, such as participants by WebRTC.
        composed: The composition of all of them, while there is one.
    """

    streams: Sequence[MediaStream]
    shown: MediaStream | None = None
    others: bool = False
    composed: MediaStream | None = None


def choose(room_now: RoomNow) -> MediaStream | None:
    """The stream whose packets are the room's HLS; `None` when there is no such one.

    It is the composition when one stream does not show all. Until that has begun, and where none can be had, it is the
    stream that is shown already, or the oldest.
    """
    streams = room_now.streams
    if room_now.composed is not None and (room_now.others or len(streams) > 1):
        return room_now.composed
    if not streams:
        return None
    return room_now.shown if room_now.shown in streams else streams[0]
