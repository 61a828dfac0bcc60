"""LiveKit's SDK publishes raw pictures in three layers, as a program without Stagedoor would: `URL TOKEN`."""

# PyAV's annotations are incomplete.
# pyright: basic

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final

from av.filter import Graph
from livekit import rtc

WIDTH: Final = 1280
HEIGHT: Final = 720
FPS: Final = 25


def pictures() -> list[bytes]:
    """A second of a moving picture."""
    graph = Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={FPS}:duration=1")
    shape, sink = graph.add("format", "yuv420p"), graph.add("buffersink")
    source.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    return [graph.pull().to_ndarray().tobytes() for _ in range(FPS)]


async def main(url: str, token: str) -> None:
    room = rtc.Room()
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False, dynacast=True))
    source = rtc.VideoSource(WIDTH, HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        simulcast=True,
        video_codec=rtc.VideoCodec.H264,
        video_encoding=rtc.VideoEncoding(max_bitrate=2_304_000, max_framerate=FPS),
    )
    await room.local_participant.publish_track(track, options)
    frames, number, due = pictures(), 0, time.monotonic()
    while True:
        data = frames[number % FPS]
        source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data))
        number, due = number + 1, due + 1 / FPS
        await asyncio.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
