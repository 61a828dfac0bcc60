"""Passes frames straight to a viewer's connection, as they are published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from stagedoor.api.live.raw_writer import RawWriter
from stagedoor.outputs.frames.metrics import CAMERA_FRAMES_SENT, CAMERA_FRAMES_SKIPPED, CAMERA_VIEWERS
from stagedoor.streams.hub import EndOfStream, Frame, Viewer

_COUNT_SECONDS: Final = 10.0
"""Frames that pass straight to a viewer are counted now and then; to count each would cost more than to send it."""


async def pass_frames(viewer: Viewer, pipe: RawWriter, encode: Callable[[Frame], bytes], kind: str) -> None:
    """Pass a viewer's frames until its stream ends, for about a third of what `throttle.frames` and `send` cost.

    Args:
        viewer: The viewer.
        pipe: Its connection.
        encode: Returns what is written for a frame.
        kind: The label of the viewer's protocol in the metrics.
    """
    sent, counting = CAMERA_FRAMES_SENT.labels(kind), CAMERA_VIEWERS.labels(kind)
    counting.inc()
    counted = 0
    try:
        with viewer.passing(pipe.waiting, pipe.write, encode):
            while True:
                try:
                    async with asyncio.timeout(_COUNT_SECONDS):
                        await viewer.ready()
                except TimeoutError:
                    sent.inc(viewer.passed - counted)
                    counted = viewer.passed
                    continue
                await pipe.drained()
                pipe.write(encode(await viewer.next()))
                viewer.passed += 1
    except EndOfStream:
        return
    finally:
        counting.dec()
        sent.inc(viewer.passed - counted)
        CAMERA_FRAMES_SKIPPED.inc(viewer.dropped)
