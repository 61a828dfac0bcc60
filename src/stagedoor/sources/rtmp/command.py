"""Commands: a name, a transaction, and values."""

from __future__ import annotations

from dataclasses import dataclass

from stagedoor.sources.rtmp.amf0 import Amf0Reader
from stagedoor.sources.rtmp.amf_values import AmfValue
from stagedoor.sources.rtmp.errors import ProtocolError
from stagedoor.sources.rtmp.message import AMF3_COMMAND, Message


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        transaction: 0 if no answer is awaited.
        about: Its command object; empty if there is none.
        arguments: The values behind it.
        stream: The message stream that it is for.
    """

    name: str
    transaction: float
    about: dict[str, AmfValue]
    arguments: list[AmfValue]
    stream: int

    def text(self, index: int) -> str:
        """An argument that is a text; empty if it is none."""
        found = self.arguments[index] if index < len(self.arguments) else None
        return found if isinstance(found, str) else ""


def parse(message: Message) -> Command:
    """The command in a message.

    Raises:
        ProtocolError: There is none.
    """
    # A command in AMF3 begins with a byte 0, and its values are AMF0 that may contain AMF3.
    start = 1 if message.kind == AMF3_COMMAND and message.payload[:1] == b"\0" else 0
    values = Amf0Reader(message.payload, start).values()
    name, transaction, about = (*values[:3], None, None, None)[:3]
    if not isinstance(name, str):
        raise ProtocolError("bad_command", "A command has no name.")
    return Command(
        name,
        transaction if isinstance(transaction, float) else 0.0,
        about if isinstance(about, dict) else {},
        values[3:],
        message.stream,
    )
