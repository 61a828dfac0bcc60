"""`POST /ingest/frame`: one frame of a device that can only do HTTP."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stagedoor.api.live import asking
from stagedoor.api.middleware import drain
from stagedoor.api.services import services
from stagedoor.cameras.closing import NOT_JPEG
from stagedoor.kernel.errors import BadRequest, Conflict, Invalid, Problem, TooLarge, TooMany, Unavailable

PATH: Final = "/ingest/frame"


async def post_frame(request: Request) -> Response:
    """204 when the frame was taken."""
    parts = services(request)
    try:
        admitted = await asking.device(request, parts)
        body = await _body(request, admitted.app.settings.camera_max_frame_bytes)
    except Problem:
        await drain(request.receive)
        raise
    live = parts.posting.live(admitted)
    dropped = live.intake.dropped
    why = live.take(body)
    if why is None:
        if live.intake.dropped == dropped:
            return Response(status_code=204)
        fps = live.settings.camera_max_fps
        raise TooMany(
            f"More than {fps} frames a second came; this one was dropped.",
            code="too_fast",
            extra={"maxFps": fps},
            headers={"Retry-After": "1"},
        )
    if why is NOT_JPEG:
        raise Invalid("The body is not one whole JPEG.", code="not_jpeg")
    if why.code == 1001:
        raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
    raise Conflict(f"The camera may not send now: {why.reason}.", code="camera_closed")


async def _body(request: Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge(
                    f"The frame has more than {limit} bytes.", code="frame_too_big", extra={"maxFrameBytes": limit}
                )
            pieces.append(piece)
    except ClientDisconnect:
        raise BadRequest("The body ended too early.", code="body_cut_off") from None
    return b"".join(pieces)
