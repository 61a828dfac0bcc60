"""The protocol between Stagedoor and the child process of a bridge. The module imports nothing of Stagedoor.

Stagedoor writes messages to the child's standard input, each preceded by its length in four bytes: an `Order` as JSON,
then JPEG frames, each only when the one before was acknowledged with `Ack`. So no frame waits in a pipe, and the newest
wins. The child writes its reports to standard output, one JSON object a line.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

PREFIX_BYTES: Final = 4

LARGEST_PIXELS: Final = 3840 * 2160
"""The largest picture that is bridged: a JPEG of 512 KiB may have 16,384 by 16,384 pixels, which take gigabytes to
encode."""

SMALLEST_SIDE: Final = 16
"""In pixels; the size of an H.264 macroblock."""

Outcome = Literal["published", "undecodable", "refused"]
"""The outcome of a frame: `refused` means by LiveKit's client, while it is not connected."""


class Order(msgspec.Struct):
    """The order to join a room and publish.

    Attributes:
        url: The signalling URL of LiveKit, ws or wss.
        token: A join token; it names the room and the participant.
        max_fps: The most frames a second that the camera may send.
    """

    url: str
    token: str
    max_fps: float


class Joined(msgspec.Struct, tag="joined"):
    """The child has joined the room and waits for frames; `room_sid` is LiveKit's SID of the room."""

    room_sid: str


class Published(msgspec.Struct, tag="published"):
    """The track is published."""

    track_sid: str


class Ack(msgspec.Struct, tag="ack"):
    """The acknowledgement of a frame: the child waits for the next one."""

    outcome: Outcome


class EndOfStream(msgspec.Struct, tag="end_of_stream"):
    """The child has left the room or could not join it.

    Attributes:
        reason: LiveKit's disconnect reason (`PARTICIPANT_REMOVED`), `left` when Stagedoor requested it, or a sentence.
    """

    reason: str


Report = Joined | Published | Ack | EndOfStream


def prefix(message: bytes) -> bytes:
    """The length prefix of a message."""
    return len(message).to_bytes(PREFIX_BYTES, "big")
