"""Who is in the room, what they show and what they say: joins it hidden, by LiveKit's SDK, on a thread of its own."""

# The SDK's annotations are incomplete.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from livekit import rtc

from stagedoor.streams.media.child.composition.canvas import Frame
from stagedoor.streams.media.child.composition.layout import Picture, Rect
from stagedoor.streams.media.child.composition.sound import CHANNELS, RATE, Samples, Sound
from stagedoor.streams.media.child.media import StreamFailed
from stagedoor.streams.media.protocol import JoinTarget

_SOUND_MS: Final = 40
"""Longer frames than the SDK's 10 ms: each is an event that wakes every stream of the room."""
_MOST_FRAMES: Final = 32
_SMALLEST: Final = 16
"""LiveKit's client shows two black pixels before the first picture."""
_LOUDEST: Final = np.float32(1 / 32_768)
_CLOSING_SECONDS: Final = 3.0
_REMOVED: Final = frozenset(
    {
        rtc.DisconnectReason.DUPLICATE_IDENTITY,
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
    }
)
_ENDED: Final = frozenset({rtc.DisconnectReason.ROOM_DELETED, rtc.DisconnectReason.ROOM_CLOSED})


@dataclass(slots=True)
class _Shown:
    """A track of pictures."""

    publication: rtc.RemoteTrackPublication
    identity: str
    is_screen: bool
    muted: bool
    frames: deque[Frame] = field(default_factory=lambda: deque[Frame](maxlen=_MOST_FRAMES))
    now: Frame | None = None
    quality: rtc.VideoQuality.ValueType = rtc.VideoQuality.VIDEO_QUALITY_HIGH

    def at(self, time_us: int) -> Frame | None:
        """The picture of a time; the one before it is forgotten."""
        while self.frames and self.frames[0].at <= time_us:
            self.now = self.frames.popleft()
        return None if self.muted else self.now


class Stage:
    """The room.

    Args:
        target: Where to join.
        empty_seconds: It is over when no other participant is there for so long.

    Attributes:
        speaker: Who speaks, or was the last to.
        joined: Set when it has joined, or cannot.
        failure: Why it is over; `None` while it is not.
    """

    def __init__(self, target: JoinTarget, empty_seconds: float) -> None:
        self._target = target
        self._empty_seconds = empty_seconds
        self._shown: dict[str, _Shown] = {}
        self._sounds: dict[str, Sound] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self.speaker: str | None = None
        self.joined = threading.Event()
        self.failure: StreamFailed | None = None
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)
        self._thread.start()

    def frames(self, time_us: int) -> Mapping[str, tuple[Picture, Frame]]:
        """What each track of pictures shows at a time, in the order in which they came."""
        found: dict[str, tuple[Picture, Frame]] = {}
        with self._lock:
            for key, one in self._shown.items():
                frame = one.at(time_us)
                if frame is not None:
                    found[key] = Picture(key, one.identity, *frame.seen, is_screen=one.is_screen), frame
        return found

    def sounds(self, begin: int, count: int) -> list[Samples]:
        """The samples of each track of sound over a time, which are read once."""
        with self._lock:
            read = [sound.read(begin, count) for sound in self._sounds.values()]
            self._sounds = {key: sound for key, sound in self._sounds.items() if not sound.over}
        return read

    def prefer(self, rects: Mapping[str, Rect]) -> None:
        """Have LiveKit send each picture in the size that its place needs, when it is published in several."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._prefer, dict(rects))

    def close(self) -> None:
        """Leave the room."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_CLOSING_SECONDS)

    # On the thread of the loop

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._attend())
        except StreamFailed as failure:
            self.failure = failure
        except Exception as error:  # noqa: BLE001 - the composition ends, and another attempt is made
            self.failure = StreamFailed("worker_failed", f"The room was left: {error}.", retry=True)
        finally:
            self.joined.set()
            self._loop.close()

    async def _attend(self) -> None:
        room = rtc.Room()
        room.on("track_subscribed", self._subscribed)
        room.on("track_unsubscribed", self._unsubscribed)
        room.on("track_muted", self._mute)
        room.on("track_unmuted", self._mute)
        room.on("active_speakers_changed", self._speak)
        room.on("disconnected", self._disconnected)
        try:
            await room.connect(self._target.url, self._target.token, rtc.RoomOptions(auto_subscribe=True))
        except rtc.ConnectError as error:
            raise StreamFailed("livekit_unreachable", f"LiveKit refused to join: {error}.", retry=True) from error
        self.joined.set()
        present = time.monotonic()
        try:
            while not self._closing.is_set() and self.failure is None:
                if room.remote_participants:
                    present = time.monotonic()
                elif time.monotonic() - present > self._empty_seconds:
                    raise StreamFailed("source_ended", "The room has no participant.")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), 0.5)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await room.disconnect()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if self._closing.is_set():
            return
        if reason in _ENDED:
            self.failure = StreamFailed("source_ended", "The room has ended.")
        elif reason in _REMOVED:
            self.failure = StreamFailed("removed_from_room", "The participant was removed from the room.")
        else:
            self.failure = StreamFailed("livekit_unreachable", "The connection to LiveKit ended.", retry=True)
        self._closing.set()

    def _subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if isinstance(track, rtc.RemoteVideoTrack):
            is_screen = publication.source == rtc.TrackSource.SOURCE_SCREENSHARE
            one = _Shown(publication, participant.identity, is_screen, publication.muted)
            with self._lock:
                self._shown[publication.sid] = one
            self._follow(publication.sid, self._look(track, one))
        elif isinstance(track, rtc.RemoteAudioTrack):
            sound = Sound()
            with self._lock:
                self._sounds[publication.sid] = sound
            self._follow(publication.sid, self._listen(track, sound))

    def _follow(self, sid: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[sid] = self._loop.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(sid, None) if self._tasks.get(sid) is task else None)

    def _unsubscribed(self, _: rtc.Track, publication: rtc.RemoteTrackPublication, *__: object) -> None:
        with self._lock:
            self._shown.pop(publication.sid, None)
            if publication.sid in self._sounds:
                self._sounds[publication.sid].closed = True
        task = self._tasks.pop(publication.sid, None)
        if task is not None:
            task.cancel()

    def _mute(self, _: rtc.Participant, publication: rtc.TrackPublication) -> None:
        with self._lock:
            one = self._shown.get(publication.sid)
            if one is not None:
                one.muted, one.now = publication.muted, None
                one.frames.clear()

    def _speak(self, speakers: list[rtc.Participant]) -> None:
        if speakers:
            self.speaker = speakers[0].identity

    def _prefer(self, rects: Mapping[str, Rect]) -> None:
        for key, one in self._shown.items():
            rect, full = rects.get(key), max(one.publication.width, one.publication.height)
            if not one.publication.simulcasted or not full:
                continue
            share = max(rect.width, rect.height) / full if rect else 0.0
            quality = _quality(share)
            if quality != one.quality:
                one.quality = quality
                one.publication.set_video_quality(quality)

    async def _look(self, track: rtc.RemoteVideoTrack, one: _Shown) -> None:
        try:
            stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        except AssertionError:  # the SDK says so when the track has gone meanwhile
            return
        try:
            async for event in stream:
                picture, now = event.frame, time.monotonic_ns() // 1_000
                if picture.height < _SMALLEST:
                    continue
                # The time at which WebRTC would show it, in step with the sound; on this clock, and never far from now.
                at = event.timestamp_us if abs(event.timestamp_us - now) < 1_000_000 else now
                frame = Frame(at, picture.width, picture.height, picture.data, _quarters(event.rotation))
                with self._lock:
                    if not one.muted:
                        one.frames.append(frame)
        finally:
            await stream.aclose()

    async def _listen(self, track: rtc.RemoteAudioTrack, sound: Sound) -> None:
        try:
            stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=CHANNELS, frame_size_ms=_SOUND_MS)
        except AssertionError:  # as above
            return
        try:
            async for event in stream:
                arrived = time.monotonic_ns() * RATE // 1_000_000_000
                samples = np.frombuffer(event.frame.data, np.int16).reshape(-1, CHANNELS)
                with self._lock:
                    sound.put(np.multiply(samples, _LOUDEST, dtype=np.float32), arrived)
        finally:
            await stream.aclose()


def _quality(share: float) -> rtc.VideoQuality.ValueType:
    """The layer for a place that takes so much of the picture's width."""
    if share <= 0.3:
        return rtc.VideoQuality.VIDEO_QUALITY_LOW
    if share <= 0.6:
        return rtc.VideoQuality.VIDEO_QUALITY_MEDIUM
    return rtc.VideoQuality.VIDEO_QUALITY_HIGH


def _quarters(rotation: object) -> int:
    """By how many quarters a picture is to be turned clockwise: the values of LiveKit's enumeration."""
    return rotation % 4 if isinstance(rotation, int) else 0
