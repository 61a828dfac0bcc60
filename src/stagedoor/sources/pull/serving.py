"""How an HTTP answer serves pictures: what its head says, and where that says nothing, what its body begins with."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final, Literal

import aiohttp

from stagedoor.sources.pull.multipart import boundary_of

SNIFF_BYTES: Final = 1_024
SNIFF_SECONDS: Final = 5.0
"""For the first bytes of a body; what sends none is left to a media worker, which waits longer."""

_PICTURES: Final = frozenset({"image/jpeg", "image/jpg", "image/pjpeg"})
_MULTIPART: Final = re.compile(
    rb"\s*--[^\r\n]+\r?\n(?:[^\r\n:]+:[^\r\n]*\r?\n)*?content-type[ \t]*:[ \t]*image/jpe?g\s", re.IGNORECASE
)

Kind = Literal["multipart", "picture"]


@dataclass(frozen=True, slots=True)
class Serving:
    """How an answer serves pictures.

    Attributes:
        kind: Many in one answer, or one an answer.
        boundary: As the head declares it; empty when it declares none.
        beginning: What was read of the body to find out; the rest follows.
    """

    kind: Kind
    boundary: str = ""
    beginning: bytes = b""


async def serving_of(answer: aiohttp.ClientResponse) -> Serving | None:
    """How an answer serves pictures; `None` when it is something else, such as a playlist or a file.

    FFmpeg looks at the body alone (libavformat/mpjpegdec.c, `mpjpeg_read_probe`), and serves multipart as
    `application/octet-stream` unless its option `content_type` says otherwise. So where the head does not say it,
    the first part's boundary and headers do.
    """
    content_type = answer.headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("multipart/"):
        return Serving("multipart", boundary_of(content_type))
    if media_type in _PICTURES:
        return Serving("picture")
    beginning = await _beginning(answer)
    return Serving("multipart", beginning=beginning) if _MULTIPART.match(beginning[:SNIFF_BYTES]) else None


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body: as many as it takes to see whether it is multipart."""
    found = b""
    try:
        async with asyncio.timeout(SNIFF_SECONDS):
            while len(found) < SNIFF_BYTES and _goes_on(found.lstrip()):
                piece = await answer.content.readany()
                if not piece:
                    break
                found += piece
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass  # a media worker finds out why
    return found


def _goes_on(found: bytes) -> bool:
    """Whether it may be a boundary and headers that are not whole yet."""
    return b"--".startswith(found[:2]) and b"\n\r\n" not in found and b"\n\n" not in found
