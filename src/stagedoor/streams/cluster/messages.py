"""What nodes tell each other through Redis, and where.

All of it is forgotten when its owner is; `<db>` is the number of the database, which channels know nothing of:

    stagedoor:<db>:camera:<room>   which camera sends to which node; lives for seconds unless it is renewed
    stagedoor:<db>:cameras         words: a camera came or went, a node wants a room's frames
    stagedoor:<db>:frames:<room>   the frames, as long as somebody subscribes
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from stagedoor.streams.hub import Frame

_HEAD: Final = struct.Struct(">8sQQHH")


class Claim(msgspec.Struct, frozen=True):
    """That a camera sends to a node: what is kept under its room.

    Attributes:
        token: Unlike that of any other connection, so that frames of two can be told apart.
    """

    node: str
    camera: str
    token: str


class Message(msgspec.Struct, frozen=True):
    """What a node says to all.

    Attributes:
        token: Of the connection that came or went.
    """

    what: Literal["came", "went", "want"]
    node: str
    room: str
    token: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A frame of another node.

    Attributes:
        token: Of the connection that it came by.
        number: Counts up for as long as the token stays.
    """

    token: str
    number: int
    at: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """Keys and channels of one database."""

    db: int
    talk: str = field(init=False)
    _frames: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "talk", f"stagedoor:{self.db}:cameras")
        object.__setattr__(self, "_frames", f"stagedoor:{self.db}:frames:")

    def claim(self, room: str) -> str:
        """The key of who sends to it."""
        return f"stagedoor:{self.db}:camera:{room}"

    def frames(self, room: str) -> str:
        """The channel of its frames."""
        return self._frames + room

    def room(self, channel: str) -> str:
        """Whose frames' channel it is."""
        return channel.removeprefix(self._frames)


def new_token() -> str:
    """For a connection."""
    return secrets.token_hex(4)


def pack(token: str, frame: Frame) -> bytes:
    """A frame as a message."""
    return _HEAD.pack(token.encode(), frame.number, frame.at, frame.size.width, frame.size.height) + frame.data


def unpack(message: bytes) -> Carried | None:
    """The frame in a message; `None` when there is none, because somebody else uses the channel."""
    if len(message) < _HEAD.size:
        return None
    token, number, at, width, height = _HEAD.unpack_from(message)
    return Carried(token.decode("ascii", "replace"), number, at, width, height, message[_HEAD.size :])


def word(message: bytes) -> Message | None:
    """What is said in a message, if one of us said it."""
    try:
        return msgspec.json.decode(message, type=Message)
    except msgspec.MsgspecError:
        return None


def claim(value: bytes | None) -> Claim | None:
    """What is kept under a room's key."""
    try:
        return None if value is None else msgspec.json.decode(value, type=Claim)
    except msgspec.MsgspecError:
        return None
