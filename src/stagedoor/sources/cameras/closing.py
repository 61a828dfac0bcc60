"""Why a camera's connection ends: the close codes of the wire, which devices of the field know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

CAMERA_SOCKET: Final = "/ingest/ws"


@dataclass(frozen=True, slots=True)
class Close:
    """A WebSocket close frame (RFC 6455, section 7.4; 4000 to 4999 are an application's own)."""

    code: int
    reason: str


REVOKED: Final = Close(4401, "key revoked")
IDLE: Final = Close(4408, "idle")
REPLACED: Final = Close(4409, "replaced")
TOO_BIG: Final = Close(4413, "frame too big")
TOO_FAST: Final = Close(4429, "too fast")
NOT_JPEG: Final = Close(1003, "not a JPEG")
SILENT: Final = Close(1011, "no answer to pings")
GOING_AWAY: Final = Close(1001, "server stops")


def error_message(why: Close, detail: str = "") -> str:
    """The text message before the close frame: arduinoWebSockets tells a sketch nothing of the frame itself."""
    message = f"{why.reason}: {detail}" if detail else why.reason
    return msgspec.json.encode({"type": "error", "code": why.code, "message": message}).decode()
