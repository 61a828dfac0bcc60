"""The frames of a track that a participant subscribes to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from livekit import rtc


async def video_frames(track: rtc.Track, **options: Any) -> AsyncIterator[rtc.VideoFrameEvent]:
    """The pictures of a track; none when it has gone between its event and now."""
    try:
        stream = rtc.VideoStream(track, **options)
    except AssertionError:  # LiveKit's client says so, and the participant may be leaving at this moment
        return
    try:
        async for event in stream:
            yield event
    finally:
        await stream.aclose()


async def audio_frames(track: rtc.Track, **options: Any) -> AsyncIterator[rtc.AudioFrameEvent]:
    """The sound of a track; none when it has gone between its event and now."""
    try:
        stream = rtc.AudioStream(track, **options)
    except AssertionError:  # as above
        return
    try:
        async for event in stream:
            yield event
    finally:
        await stream.aclose()
