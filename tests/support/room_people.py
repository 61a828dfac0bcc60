"""Participants of a room with a camera, a screen and a microphone of their own, through LiveKit's client library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from livekit import rtc

from tests.support.jpegs import Colour

RATE = 48_000
FPS = 25
_QUEUE_MS = 60


class Person:
    """A participant who shows colours and sounds a tone."""

    def __init__(self, room: rtc.Room) -> None:
        self.room = room
        self._tasks: set[asyncio.Task[None]] = set()

    async def show(
        self,
        colour: Colour,
        size: tuple[int, int] = (640, 360),
        *,
        screen: bool = False,
        rotation: rtc.VideoRotation.ValueType = rtc.VideoRotation.VIDEO_ROTATION_0,
    ) -> rtc.LocalTrackPublication:
        """Publish pictures of one colour."""
        source = rtc.VideoSource(*size, is_screencast=screen)
        track = rtc.LocalVideoTrack.create_video_track("screen" if screen else "camera", source)
        kind = rtc.TrackSource.SOURCE_SCREENSHARE if screen else rtc.TrackSource.SOURCE_CAMERA
        options = rtc.TrackPublishOptions(source=kind, simulcast=False)
        published = await self.room.local_participant.publish_track(track, options)

        plain = rtc.VideoFrame(*size, rtc.VideoBufferType.RGB24, bytes(colour) * (size[0] * size[1]))
        frame = plain.convert(rtc.VideoBufferType.I420)

        async def send() -> None:
            number, begin = 0, asyncio.get_running_loop().time()
            while True:
                source.capture_frame(frame, rotation=rotation)
                number += 1
                await asyncio.sleep(max(0.0, begin + number / FPS - asyncio.get_running_loop().time()))

        self._start(send())
        return published

    async def sound(self, hertz: float, loud: float = 0.3) -> rtc.LocalTrackPublication:
        """Publish a tone."""
        source = rtc.AudioSource(RATE, 1, _QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        published = await self.room.local_participant.publish_track(track, options)

        async def send() -> None:
            place = 0
            while True:
                times = (place + np.arange(480)) / RATE
                samples = np.sin(2 * np.pi * hertz * times) * loud
                data = (samples * 32_767).astype(np.int16).tobytes()
                await source.capture_frame(rtc.AudioFrame(data, RATE, 1, 480))
                place += 480

        self._start(send())
        return published

    async def flash(self) -> None:
        """Publish a camera and a microphone that go on together, once in a second."""
        video = rtc.VideoSource(640, 360)
        audio = rtc.AudioSource(RATE, 1, _QUEUE_MS)
        me = self.room.local_participant
        camera = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await me.publish_track(rtc.LocalVideoTrack.create_video_track("camera", video), camera)
        await me.publish_track(rtc.LocalAudioTrack.create_audio_track("microphone", audio), microphone)
        self._start(_flash(video, audio))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        """End everything; nothing happens when it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self.room.disconnect()


@asynccontextmanager
async def person(url: str, token: str) -> AsyncGenerator[Person]:
    """A participant who has joined."""
    room = rtc.Room()
    await room.connect(url.replace("http", "ws", 1), token, rtc.RoomOptions(auto_subscribe=False))
    one = Person(room)
    try:
        yield one
    finally:
        await one.leave()


def _on(seconds: float) -> bool:
    return seconds % 1.0 < 0.2


async def _flash(video: rtc.VideoSource, audio: rtc.AudioSource) -> None:
    """Both from one clock: a picture goes when the samples of its time are played out of the source's queue."""
    white = rtc.VideoFrame(640, 360, rtc.VideoBufferType.I420, _i420(640, 360, 235))
    black = rtc.VideoFrame(640, 360, rtc.VideoBufferType.I420, _i420(640, 360, 16))
    loop = asyncio.get_running_loop()
    begin, place, number = loop.time(), 0, 0
    while True:
        times = (place + np.arange(480)) / RATE
        samples = np.sin(2 * np.pi * 1000 * times) * (0.5 if _on(place / RATE) else 0.0)
        await audio.capture_frame(rtc.AudioFrame((samples * 32_767).astype(np.int16).tobytes(), RATE, 1, 480))
        place += 480
        played = place / RATE - audio.queued_duration
        while number / FPS <= played:
            video.capture_frame(white if _on(number / FPS) else black)
            number += 1
        await asyncio.sleep(max(0.0, begin + place / RATE - loop.time()))


def _i420(width: int, height: int, luma: int) -> bytes:
    return bytes([luma]) * (width * height) + bytes([128]) * (width * height // 2)
