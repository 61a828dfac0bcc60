"""`GET /live/{app}/{room}/mjpeg`: a picture that goes on changing (`multipart/x-mixed-replace`)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stagedoor.api.live import requests
from stagedoor.api.live.headers import FOR_ANY_PAGE
from stagedoor.api.live.passing import pass_frames
from stagedoor.api.live.raw_writer import pipe_of
from stagedoor.api.live.throttle import frames
from stagedoor.api.services import services_of
from stagedoor.api.viewer_admission import admit
from stagedoor.streams.hub import Frame, Viewer

_BOUNDARY: Final = b"--frame\r\n"
_TAIL: Final = b"\r\n" + _BOUNDARY
_PAUSE_SECONDS: Final = 0.3

_HEADERS: Final = FOR_ANY_PAGE | {
    "Content-Type": "multipart/x-mixed-replace; boundary=frame",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


async def mjpeg(request: Request) -> Response:
    """The stream."""
    services = services_of(request)
    app, room = request.path_params["app"], request.path_params["room"]
    admission = await admit(request, services, app, room)
    readmission = requests.readmission(request, services, app, room)
    width, interval = requests.wanted_width(request), requests.wanted_interval(request)
    stack = AsyncExitStack()
    viewer = await stack.enter_async_context(services.frame_viewers.view(admission, width, readmission=readmission))
    return _Stream(stack, viewer, interval)


class _Stream(Response):
    """Streams a viewer's frames, and removes the viewer however the connection ends."""

    def __init__(self, stack: AsyncExitStack, viewer: Viewer, interval: float) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._stack = stack
        self._viewer = viewer
        self._interval = interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                leaving = asyncio.create_task(_until_left(receive, self._viewer), name="mjpeg-viewer")
                # Only HTTP/1.1 knows chunks, which is how frames pass straight.
                passing = not self._interval and scope["http_version"] == "1.1"
                pipe = pipe_of(scope) if passing else None
                showing = _Showing(self._viewer)
                try:
                    if pipe is None:
                        await self._send_frames(send)
                    else:
                        await send({"type": "http.response.body", "body": _BOUNDARY, "more_body": True})
                        await pass_frames(self._viewer, pipe, _chunk, "mjpeg")
                finally:
                    showing.close()
                    leaving.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_frames(self, send: Send) -> None:
        opening = _BOUNDARY
        async for frame in frames(self._viewer, self._interval, "mjpeg"):
            part = frame.part or _part(frame)
            body = opening + part if opening else part
            await send({"type": "http.response.body", "body": body, "more_body": True})
            opening = b""


class _Showing:
    """Has a frame sent once more when none comes after it.

    Chrome (seen in 156) draws a part when it has read the headers of the next one, the empty line included; so the last
    frame before a pause would not be seen until the pause is over.
    """

    __slots__ = ("_loop", "_repeated", "_seen", "_timer", "_viewer")

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._loop = asyncio.get_running_loop()
        self._seen: Frame | None = None
        self._repeated = False
        self._timer = self._loop.call_later(_PAUSE_SECONDS, self._look)

    def close(self) -> None:
        """Stop repeating frames."""
        self._timer.cancel()

    def _look(self) -> None:
        # Looking now and then costs less than a timer that is set again for each frame.
        last = self._viewer.last
        if last is not self._seen:
            self._seen, self._repeated = last, False
        elif last is not None and not self._repeated:
            self._repeated = True
            self._viewer.offer_again()
        self._timer = self._loop.call_later(_PAUSE_SECONDS, self._look)


def _chunk(frame: Frame) -> bytes:
    """The part as a chunk, as uvicorn sends what has no length."""
    if frame.chunk is None:
        head = _head(frame)
        size = len(head) + len(frame.data) + len(_TAIL)
        frame.chunk = b"".join((b"%x\r\n" % size, head, frame.data, _TAIL, b"\r\n"))
    return frame.chunk


def _part(frame: Frame) -> bytes:
    """The frame, and the boundary after it: Chrome shows a picture when the next one begins."""
    frame.part = b"".join((_head(frame), frame.data, _TAIL))
    return frame.part


def _head(frame: Frame) -> bytes:
    at = frame.at
    return b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%03d\r\n\r\n" % (
        len(frame.data),
        at // 1000,
        at % 1000,
    )


async def _until_left(receive: Receive, viewer: Viewer) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.end()
