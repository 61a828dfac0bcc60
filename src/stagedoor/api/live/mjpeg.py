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
from stagedoor.api.live.raw_writer import RawWriter, pipe_of
from stagedoor.api.live.throttle import frames
from stagedoor.api.services import services_of
from stagedoor.outputs.frames.metrics import CAMERA_FRAMES_SENT, CAMERA_FRAMES_SKIPPED, CAMERA_VIEWERS
from stagedoor.streams.hub import EndOfStream, Frame, Viewer

_BOUNDARY: Final = b"--frame\r\n"
_PAUSE_SECONDS: Final = 0.3
_COUNT_SECONDS: Final = 10.0
"""Frames that pass straight to a viewer are counted now and then; to count each would cost more than to send it."""

_HEADERS: Final = FOR_ANY_PAGE | {
    "Content-Type": "multipart/x-mixed-replace; boundary=frame",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


async def mjpeg(request: Request) -> Response:
    """The stream."""
    services = services_of(request)
    app, room = request.path_params["app"], request.path_params["room"]
    admission = await requests.viewer(request, services, app, room)
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
                    await (self._send_frames(send) if pipe is None else self._pass_frames(send, pipe))
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

    async def _pass_frames(self, send: Send, pipe: RawWriter) -> None:
        """As `_send_frames`, for about a third of its cost."""
        viewer, counting = self._viewer, CAMERA_VIEWERS.labels("mjpeg")
        counting.inc()
        counted = 0
        try:
            await send({"type": "http.response.body", "body": _BOUNDARY, "more_body": True})
            with viewer.passing(pipe.waiting, pipe.write, _chunk):
                while True:
                    try:
                        async with asyncio.timeout(_COUNT_SECONDS):
                            await viewer.ready()
                    except TimeoutError:
                        CAMERA_FRAMES_SENT.labels("mjpeg").inc(viewer.passed - counted)
                        counted = viewer.passed
                        continue
                    await pipe.drained()
                    pipe.write(_chunk(await viewer.next()))
                    viewer.passed += 1
        except EndOfStream:
            return
        finally:
            counting.dec()
            CAMERA_FRAMES_SENT.labels("mjpeg").inc(viewer.passed - counted)
            CAMERA_FRAMES_SKIPPED.inc(viewer.dropped)


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
        part = frame.part or _part(frame)
        frame.chunk = b"%x\r\n%b\r\n" % (len(part), part)
    return frame.chunk


def _part(frame: Frame) -> bytes:
    """The frame, and the boundary after it: Chrome shows a picture when the next one begins."""
    head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%03d\r\n\r\n" % (
        len(frame.data),
        *divmod(frame.at, 1000),
    )
    frame.part = head + frame.data + b"\r\n" + _BOUNDARY
    return frame.part


async def _until_left(receive: Receive, viewer: Viewer) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.end()
