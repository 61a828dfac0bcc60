"""Limits the frame rate of one viewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from stagedoor.outputs.frames.metrics import CAMERA_FRAMES_SENT, CAMERA_FRAMES_SKIPPED, CAMERA_VIEWERS
from stagedoor.streams.hub import EndOfStream, Frame, Viewer


async def frames(viewer: Viewer, interval: float, kind: str) -> AsyncGenerator[Frame]:
    """Yield a viewer's frames until its stream ends.

    Args:
        viewer: The viewer.
        interval: The least number of seconds between two frames.
        kind: The label of the viewer's protocol in the metrics.
    """
    sent, frame_viewers = CAMERA_FRAMES_SENT.labels(kind), CAMERA_VIEWERS.labels(kind)
    clock = asyncio.get_running_loop().time
    due = clock()
    frame_viewers.inc()
    try:
        while True:
            if interval:
                await viewer.rest(due - clock())
                due = max(due + interval, clock())
            frame = await viewer.next()
            yield frame
            sent.inc()
    except EndOfStream:
        return
    finally:
        frame_viewers.dec()
        CAMERA_FRAMES_SKIPPED.inc(viewer.dropped)
