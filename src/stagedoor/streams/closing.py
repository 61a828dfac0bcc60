"""The reasons for ending a sender's connection that all protocols share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Close:
    """A reason, with the WebSocket close code for it (RFC 6455, section 7.4; 4000 to 4999 are an application's own)."""

    code: int
    reason: str


IDLE: Final = Close(4408, "idle")
REPLACED: Final = Close(4409, "replaced")
GOING_AWAY: Final = Close(1001, "server stops")
