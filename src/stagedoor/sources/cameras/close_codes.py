"""The reasons for ending a camera's connection, with their close codes; deployed devices depend on the codes."""

from __future__ import annotations

from typing import Final

import msgspec

from stagedoor.streams.closing import GOING_AWAY, IDLE, REPLACED, Close

__all__ = [
    "GOING_AWAY",
    "IDLE",
    "NOT_JPEG",
    "REPLACED",
    "REVOKED",
    "SILENT",
    "TOO_BIG",
    "TOO_FAST",
    "Close",
    "error_message",
]

CAMERA_SOCKET: Final = "/ingest/ws"


REVOKED: Final = Close(4401, "key revoked")
TOO_BIG: Final = Close(4413, "frame too big")
TOO_FAST: Final = Close(4429, "too fast")
NOT_JPEG: Final = Close(1003, "not a JPEG")
SILENT: Final = Close(1011, "no answer to pings")


def error_message(why: Close, detail: str = "") -> str:
    """Make the text message that precedes the close frame, whose code arduinoWebSockets does not pass to a sketch."""
    message = f"{why.reason}: {detail}" if detail else why.reason
    return msgspec.json.encode({"type": "error", "code": why.code, "message": message}).decode()
