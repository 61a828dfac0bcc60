"""One byte range of a media file (RFC 9110 §14)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from stagedoor.api.front import Reply
from stagedoor.kernel.errors import RangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


def range_reply(asked_range: str, media: bytes | memoryview, headers: Sequence[tuple[bytes, bytes]]) -> Reply:
    """All of it, or the range that is asked for (206).

    Several ranges, and what is no range of bytes, are passed over, as the RFC permits. Nothing is copied: what is sent
    is the media itself, or a view of it.

    Args:
        asked_range: The request's header `Range`, empty without one.
        headers: Of both answers, without `Content-Length`.

    Raises:
        RangeNotSatisfiable: The range begins behind the media's end.
    """
    size = len(media)
    asked = _RANGE.fullmatch(asked_range.replace(" ", "")) if asked_range else None
    first, last = asked.groups() if asked is not None else ("", "")
    if (not first and not last) or (first and last and int(last) < int(first)):
        return Reply(200, media, (*headers, (b"content-length", b"%d" % size)))
    if first:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
    else:
        begin, end = max(0, size - int(last)), size - 1
    if begin > end:
        raise RangeNotSatisfiable(
            f"The media has {size} bytes; the range begins behind them.",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        )
    found = memoryview(media)[begin : end + 1]
    named = (b"content-range", b"bytes %d-%d/%d" % (begin, end, size)), (b"content-length", b"%d" % len(found))
    return Reply(206, found, (*headers, *named))
