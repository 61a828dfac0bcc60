"""`POST /ingest/frame`: one frame of a device that can only do HTTP."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stagedoor.api.live import requests
from stagedoor.api.middleware import DRAINED_BYTES, drain
from stagedoor.api.services import services_of
from stagedoor.kernel.errors import BadRequest, Conflict, Invalid, Problem, TooLarge, TooMany, Unavailable
from stagedoor.sources.cameras.close_codes import GOING_AWAY, NOT_JPEG, TOO_BIG, TOO_FAST
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.settings import CameraSettings

PATH: Final = "/ingest/frame"


async def post_frame(request: Request) -> Response:
    """204 when the frame was taken."""
    services = services_of(request)
    try:
        admitted = await requests.device(request, services)
    except Problem:
        await drain(request.receive)
        raise
    settings = admitted.app.settings.of(CameraSettings)
    limit = settings.max_frame_bytes
    body = await _body(request, limit)
    if body is None:
        message = f"the frame has more than {limit} bytes, which is the most"
        raise _refusal(services.http_ingest.refuse(admitted, Rejected("too_big", message)), settings)
    outcome = services.http_ingest.take(admitted, body)
    if outcome is None:
        return Response(status_code=204)
    if isinstance(outcome, Rejected):
        raise _refusal(outcome, settings)
    if outcome is TOO_FAST:
        raise TooMany(
            f"Far more than {settings.max_fps} frames a second came for a while.",
            code="too_fast",
            extra={"maxFps": settings.max_fps},
            headers={"Retry-After": "2"},
        )
    if outcome is GOING_AWAY:
        raise Unavailable("Stagedoor is stopping.", headers={"Retry-After": "5"})
    if outcome is TOO_BIG:
        raise _too_large(settings.max_frame_bytes)
    if outcome is NOT_JPEG:
        raise Invalid("No frame of the last 30 seconds was one whole JPEG.", code="not_jpeg")
    raise Conflict(f"The camera may not send now: {outcome.reason}.", code="camera_closed")


def _refusal(rejected: Rejected, settings: CameraSettings) -> Problem:
    if rejected.reason == "rate":
        fps = settings.max_fps
        return TooMany(
            f"More than {fps} frames a second came; this one was dropped.",
            code="too_fast",
            extra={"maxFps": fps},
            headers={"Retry-After": "1"},
        )
    if rejected.reason == "too_big":
        return _too_large(settings.max_frame_bytes)
    return Invalid(f"The body is not one whole JPEG: {rejected.message}.", code="not_jpeg")


def _too_large(limit: int) -> Problem:
    return TooLarge(f"The frame has more than {limit} bytes.", code="frame_too_big", extra={"maxFrameBytes": limit})


async def _body(request: Request, limit: int) -> bytes | None:
    """The body; `None` when it has more than `limit` bytes."""
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
    return None if size > limit else b"".join(pieces)
