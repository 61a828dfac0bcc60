"""What Stagedoor and the process of a bridge say to each other. It imports nothing of the product.

On the process's standard input come messages, each after its length in four bytes: an `Order` as JSON, then JPEG
frames, and each only when the one before was answered with `Took`. So no frame waits in a pipe, and the newest wins.
Its reports come on standard output, a JSON object a line.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

PREFIX_BYTES: Final = 4

LARGEST_PIXELS: Final = 3840 * 2160
"""Of a picture that is bridged: a JPEG of 512 KiB can be of 16,384 by 16,384 pixels, and take gigabytes to encode."""

SMALLEST_SIDE: Final = 16
"""In pixels: a macroblock of H.264."""

Outcome = Literal["published", "undecodable", "refused"]
"""What became of a frame: `refused` is by LiveKit's client, while it is not connected."""


class Order(msgspec.Struct):
    """Join a room and publish.

    Attributes:
        url: LiveKit's, ws or wss.
        token: A join token; it names the room and the participant.
        max_fps: What the camera may send.
    """

    url: str
    token: str
    max_fps: float


class Joined(msgspec.Struct, tag="joined"):
    """The room was joined, and frames are awaited; `room_sid` says which life of it."""

    room_sid: str


class Published(msgspec.Struct, tag="published"):
    """The track is there."""

    track_sid: str


class Took(msgspec.Struct, tag="took"):
    """A frame was dealt with, and the next one is awaited."""

    outcome: Outcome


class Gone(msgspec.Struct, tag="gone"):
    """The room was left, or could not be joined: LiveKit's reason for ending it (`PARTICIPANT_REMOVED`), `left` when
    it was asked for, or a sentence."""

    reason: str


Report = Joined | Published | Took | Gone


def prefix(message: bytes) -> bytes:
    """What is sent before a message."""
    return len(message).to_bytes(PREFIX_BYTES, "big")
