"""`GET /live/{app}/{room}/frame.jpg`: the newest frame."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response

from stagedoor.api.live import requests
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.services import services_of
from stagedoor.api.viewer_admission import admit
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Invalid, NotFound
from stagedoor.outputs.frames.metrics import CAMERA_FRAMES_SENT
from stagedoor.streams.hub import EndOfStream, Frame, Viewer

_SENT = CAMERA_FRAMES_SENT.labels("snapshot")
_FIRST_FRAME_SECONDS = 2.0
"""A camera that has just connected sends its first frame soon; so does another node."""


async def snapshot(request: Request) -> Response:
    """The frame, or 304 when the caller has it already and does not wait for a newer one."""
    services = services_of(request)
    admission = await admit(request, services, request.path_params["app"], request.path_params["room"])
    width = requests.wanted_width(request)
    max_age = requests.seconds(request, "maxAge", 86_400)
    wait = requests.seconds(request, "wait", requests.LONGEST_WAIT)
    known = request.headers.get("if-none-match")
    async with services.frame_viewers.view(admission, width, metered=False) as viewer:
        timeout = _FIRST_FRAME_SECONDS if wait is None else wait
        try:
            frame = await _frame(viewer, known if wait else None, max_age, timeout)
        except NotFound:
            if width is not None and services.frame_viewers.undecodable(admission.livekit_room, width):
                words = "The newest frame cannot be decoded, so it cannot be made smaller; ask without width."
                raise Invalid(words, code="undecodable") from None
            raise
    _SENT.inc()
    headers = FOR_ANY_PAGE | {"ETag": _etag(frame), "Cache-Control": "no-cache"}
    if frame.at:  # the placeholder frame has no capture time
        headers["Last-Modified"] = formatdate(frame.at / 1000, usegmt=True)
        headers["X-Timestamp"] = f"{frame.at / 1000:.3f}"
    if known is not None and (_etag(frame) in known or known.strip() == "*"):
        return Response(status_code=304, headers=headers)
    return Response(frame.data, media_type="image/jpeg", headers=headers)


async def _frame(viewer: Viewer, known: str | None, max_age: float | None, wait: float) -> Frame:
    """Wait for a frame that the caller does not have and that is no older than `max_age`.

    Raises:
        NotFound: No such frame arrived in time.
    """
    frame = None
    try:
        async with asyncio.timeout(wait):
            while True:
                frame = await viewer.next()
                old = max_age is not None and now_ms() - frame.at > max_age * 1000
                if not old and (known is None or _etag(frame) not in known):
                    return frame
    except TimeoutError:
        if frame is not None and known is not None and _etag(frame) in known:
            return frame
        words = "No frame came in time." if max_age is None else "No frame came that is as young as was asked for."
        raise NotFound(words, code="no_frame") from None
    except EndOfStream:
        raise NotFound("No camera sends to this room.", code="no_camera") from None


def _etag(frame: Frame) -> str:
    return f'"{frame.at:x}-{frame.number:x}-{frame.size.width:x}"'
