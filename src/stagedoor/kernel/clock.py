"""Time as Stagedoor keeps it: UTC, milliseconds since the epoch inside, RFC 3339 on the wire."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-01-31T12:00:00.000Z` for milliseconds since the Unix epoch."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def from_rfc3339(text: str) -> int:
    """Milliseconds since the epoch for an RFC 3339 timestamp.

    Raises:
        ValueError: `text` is not a timestamp, or it names no offset from UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the timestamp names no offset from UTC; add Z")
    return int(moment.timestamp() * 1000)
