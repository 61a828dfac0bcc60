"""Messages, which chunks carry, and the numbers of their types."""

from __future__ import annotations

from typing import Final, NamedTuple

SET_CHUNK_SIZE: Final = 1
ABORT: Final = 2
ACKNOWLEDGEMENT: Final = 3
USER_CONTROL: Final = 4
WINDOW_SIZE: Final = 5
PEER_BANDWIDTH: Final = 6
AUDIO: Final = 8
VIDEO: Final = 9
AMF3_DATA: Final = 15
AMF3_COMMAND: Final = 17
AMF0_DATA: Final = 18
AMF0_COMMAND: Final = 20
AGGREGATE: Final = 22

CONTROL_STREAM: Final = 2
"""The chunk stream of protocol control messages."""

COMMAND_STREAM: Final = 3
"""The chunk stream of commands, as encoders expect it."""


class Message(NamedTuple):
    """One message.

    Attributes:
        kind: The number of its type.
        stream: Its message stream: 0 for the connection.
        timestamp: In milliseconds, modulo 2^32.
    """

    kind: int
    stream: int
    timestamp: int
    payload: bytes
