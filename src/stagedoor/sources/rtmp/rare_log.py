"""Log lines that strangers can cause, a few of them a minute: they must not be able to fill the disk."""

from __future__ import annotations

import time
from typing import Final

import structlog

_log = structlog.get_logger()
_SECONDS: Final = 10.0


class RareLog:
    """Logs connections that were closed, the first of a reason, and then one in ten seconds."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def closed(self, reason: str, peer: str, sentence: str) -> None:
        """Log a connection that was closed before it published."""
        now = time.monotonic()
        if now - self._at.get(reason, -_SECONDS) < _SECONDS:
            self._left_out[reason] = self._left_out.get(reason, 0) + 1
            return
        self._at[reason] = now
        left_out = self._left_out.pop(reason, 0)
        _log.info("rtmp_connection_closed", reason=reason, peer=peer, detail=sentence, others_since=left_out)
