"""`POST /ingest/frame`: one frame of a device that can only do HTTP."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stagedoor.api.live import requests
from stagedoor.api.middleware import DRAINED_BYTES, drain
from stagedoor.api.services import services_of
from stagedoor.kernel.errors import BadRequest, Conflict, Invalid, Problem, TooLarge, TooMany, Unavailable
from stagedoor.sources.cameras.closing import GOING_AWAY, TOO_FAST
from stagedoor.sources.cameras.metrics import CAMERA_DROPPED
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.streams.jpeg import NotJpeg, measure

PATH: Final = "/ingest/frame"


async def post_frame(request: Request) -> Response:
    """204 when the frame was taken."""
    services = services_of(request)
    try:
        admitted = await requests.device(request, services)
    except Problem:
        await drain(request.receive)
        raise
    body = await _body(request, admitted.app.settings.of(CameraSettings).max_frame_bytes)
    try:
        measure(body)  # before the camera counts as one that sends, which it does for its idle time
    except NotJpeg as error:
        CAMERA_DROPPED.labels("not_jpeg").inc()
        raise Invalid(f"The body is not one whole JPEG: {error}.", code="not_jpeg") from None
    live = services.http_ingest.live(admitted)
    dropped = live.intake.dropped
    why = live.take(body)
    if why is None:
        if live.intake.dropped == dropped:
            return Response(status_code=204)
        fps = live.settings.of(CameraSettings).max_fps
        raise TooMany(
            f"More than {fps} frames a second came; this one was dropped.",
            code="too_fast",
            extra={"maxFps": fps},
            headers={"Retry-After": "1"},
        )
    if why is TOO_FAST:
        raise TooMany(
            f"Far more than {live.settings.of(CameraSettings).max_fps} frames a second came for a while.",
            code="too_fast",
            extra={"maxFps": live.settings.of(CameraSettings).max_fps},
            headers={"Retry-After": "2"},
        )
    if why is GOING_AWAY:
        raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
    raise Conflict(f"The camera may not send now: {why.reason}.", code="camera_closed")


async def _body(request: Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > DRAINED_BYTES:
                break
            if size > limit:
                pieces.clear()  # many clients write their whole body before they read an answer
            else:
                pieces.append(piece)
    except ClientDisconnect:
        raise BadRequest("The body ended too early.", code="body_cut_off") from None
    if size > limit:
        CAMERA_DROPPED.labels("too_big").inc()
        raise TooLarge(f"The frame has more than {limit} bytes.", code="frame_too_big", extra={"maxFrameBytes": limit})
    return b"".join(pieces)
