"""One byte range of a media file (RFC 9110 §14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from stagedoor.kernel.errors import RangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


def answer_range(request: Request, media: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """All of it, or the range that is asked for (206).

    Several ranges, and what is no range of bytes, are passed over, as the RFC permits.

    Raises:
        RangeNotSatisfiable: The range begins behind the media's end.
    """
    headers = {**headers, "Accept-Ranges": "bytes"}
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if asked is None or asked.groups() == ("", ""):
        return Response(media, media_type=media_type, headers=headers)
    size = len(media)
    first, last = asked.groups()
    if first:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < int(first):
            return Response(media, media_type=media_type, headers=headers)
    else:
        begin, end = max(0, size - int(last)), size - 1
    if begin > end:
        raise RangeNotSatisfiable(
            f"The media has {size} bytes; the range begins behind them.",
            headers=headers | {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"},
        )
    headers |= {"Content-Range": f"bytes {begin}-{end}/{size}"}
    return Response(media[begin : end + 1], 206, headers, media_type)
