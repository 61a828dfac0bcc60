"""Keys, channels and messages by which nodes exchange cameras and frames over Redis.

Nothing outlives the node that wrote it. Channels are shared by all databases of a Redis server, so their names contain
`<db>`, the number of the database:

    stagedoor:<db>:camera:<room>   key: which camera sends to which node; expires within seconds unless it is renewed
    stagedoor:<db>:cameras         channel: a camera went online or offline, a node subscribes to a room's frames
    stagedoor:<db>:frames:<room>   channel: a room's frames, while a node subscribes
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
    """A camera's claim to a room: the value of the room's key.

    Attributes:
        node: The node that the camera sends to.
        camera: The camera's id.
        token: Identifies the connection, so that frames of two connections can be distinguished.
    """

    node: str
    camera: str
    token: str


class Message(msgspec.Struct, frozen=True):
    """A message from one node to all others.

    Attributes:
        what: `online` and `offline` report a connection; `subscribe` requests the room's frames.
        node: The node that sent the message.
        token: The token of the connection that the message is about.
    """

    what: Literal["online", "offline", "subscribe"]
    node: str
    room: str
    token: str


@dataclass(frozen=True, slots=True)
class RemoteFrame:
    """A frame of a camera that sends to another node.

    Attributes:
        token: The token of the connection that the frame belongs to.
        number: The frame's sequence number within that connection.
        at: When the frame was received, in milliseconds since the epoch.
    """

    token: str
    number: int
    at: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the keys and channels of one database.

    Attributes:
        control: The channel of `Message`.
    """

    db: int
    control: str = field(init=False)
    _frames: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "control", f"stagedoor:{self.db}:cameras")
        object.__setattr__(self, "_frames", f"stagedoor:{self.db}:frames:")

    def claim(self, room: str) -> str:
        """The key of the room's `Claim`."""
        return f"stagedoor:{self.db}:camera:{room}"

    def frames(self, room: str) -> str:
        """The channel of the room's frames."""
        return self._frames + room

    def room(self, channel: str) -> str:
        """The room of a channel of frames."""
        return channel.removeprefix(self._frames)


def new_token() -> str:
    """A random token for a connection."""
    return secrets.token_hex(4)


def pack(token: str, frame: Frame) -> bytes:
    """Encode a frame as a message."""
    return _HEAD.pack(token.encode(), frame.number, frame.at, frame.size.width, frame.size.height) + frame.data


def unpack(message: bytes) -> RemoteFrame | None:
    """Decode a frame; `None` when the message is none, because another program publishes on the channel."""
    if len(message) < _HEAD.size:
        return None
    token, number, at, width, height = _HEAD.unpack_from(message)
    return RemoteFrame(token.decode("ascii", "replace"), number, at, width, height, message[_HEAD.size :])


def decode_message(message: bytes) -> Message | None:
    """Decode a node's message; `None` when it is none, because another program publishes on the channel."""
    try:
        return msgspec.json.decode(message, type=Message)
    except msgspec.MsgspecError:
        return None


def claim(value: bytes | None) -> Claim | None:
    """Decode the value of a room's key; `None` when the key is missing or holds something else."""
    try:
        return None if value is None else msgspec.json.decode(value, type=Claim)
    except msgspec.MsgspecError:
        return None
