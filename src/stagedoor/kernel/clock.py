"""Time as Stagedoor keeps it: UTC, milliseconds since the epoch inside, RFC 3339 on the wire."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-01-31T12:00:00.000Z` for milliseconds since the Unix epoch; the years are 1 to 9999."""
    moment = _EPOCH + min(max(ms, _FIRST), _LAST) * _MILLISECOND
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_rfc3339(text: str) -> int:
    """Milliseconds since the epoch for an RFC 3339 timestamp.

    Raises:
        ValueError: `text` is not a timestamp, names no offset from UTC, or is outside of the years 1 to 9999 in UTC.
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("a timestamp is written as 2026-01-31T12:00:00Z, with Z or another offset from UTC")
    moment = datetime.fromisoformat(text.upper())
    try:
        return (moment.astimezone(UTC) - _EPOCH) // _MILLISECOND
    except OverflowError:
        raise ValueError("the timestamp is outside of the years 1 to 9999") from None
