"""Reading a request's body on routes outside the framework."""

from __future__ import annotations

from starlette.types import Receive

from stagedoor.api.middleware import DRAINED_BYTES
from stagedoor.kernel.errors import BadRequest, TooLarge


async def read_body(receive: Receive, limit: int) -> bytes:
    """The body of a request.

    One that is too large is read on all the same and not kept: see `stagedoor.api.middleware.drain`.

    Raises:
        TooLarge: It has more than `limit` bytes.
        BadRequest: The client closed the connection before its end.
    """
    chunks: list[bytes] = []
    size = 0
    more = True
    while more and size <= DRAINED_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest("The body ended too early.", code="body_cut_off")
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if not more and not chunks and len(chunk) <= limit:
            return chunk
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
    if size > limit:
        raise TooLarge(f"The body has more than {limit} bytes.", extra={"limit": limit})
    return b"".join(chunks)
