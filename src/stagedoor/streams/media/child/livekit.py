"""The consumer that publishes a stream in its LiveKit room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from stagedoor.streams.media.child.audio import SILENCE, AudioPipeline
from stagedoor.streams.media.child.first_report import FirstReport
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.packet_queue import PacketQueue
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.child.whip import WhipSession
from stagedoor.streams.media.protocol import AudioState, Order, UrlInput, VideoState

_ATTEMPTS: Final = 4
"""One session in some fails at its first attempt, on LiveKit's side."""
_BETWEEN_ATTEMPTS_SECONDS: Final = 0.2
_VIDEO_GRACE_SECONDS: Final = 1.0
"""How long a stream that begins with audio is waited for to have video."""
_JUDGED_PACKETS: Final = 6
_IDLE_SECONDS: Final = 0.25
"""The muxer answers LiveKit while it writes; a stream that stands still sends silence, so that it stays in its room."""
_VIEWER_SECONDS: Final = 3.0
"""How long a source that waits is held for a first viewer: LiveKit announces a track with its first packet, and clients
in the room then take some tenths of a second to be on it."""
_INTRODUCTION_SECONDS: Final = 0.05
_NOTHING_SHOWN: Final = b"\0\0\0\1\x09\xf0"
"""An access unit delimiter alone (H.264, 7.3.2.4): a packet of a video without a picture."""


def _now() -> int:
    return time.monotonic_ns() // 1000


class LiveKitPublisher:
    """Publishes one stream from a thread of its own.

    Args:
        order: The room, and how its video is treated.
        on_change: Called when the stream is published, or published otherwise than before.
        on_failure: Called when it cannot go on; nothing is published afterwards.
        on_ready: Called when what comes from then on is seen by who is in the room: what waits for that can begin.

    Attributes:
        cpu_seconds: What the thread has used.
    """

    def __init__(
        self,
        order: Order,
        on_change: Callable[[VideoState | None, AudioState | None], None],
        on_failure: Callable[[StreamFailed], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._order = order
        self._on_change = on_change
        self._on_failure = on_failure
        self._on_ready = on_ready
        self._queue = PacketQueue()
        self._closing = False
        self._key_frame_requested = False
        self._session: WhipSession | None = None
        self._with_video = False
        self._written_at = 0.0
        self._may_wait = isinstance(order.input, UrlInput)
        self._first_report = FirstReport()
        self._unreported = False
        self.video = VideoPipeline(order.transcoding, order.limits)
        self.audio = AudioPipeline()
        self.cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"publish {order.stream_id}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Packets that were left out because publishing was too slow."""
        return self._queue.dropped

    def push(self, packet: MediaPacket) -> None:
        """Take a packet. When too much waits, video is dropped up to the next key frame."""
        self._queue.push(packet)

    def request_key_frame(self) -> None:
        """A viewer has joined."""
        self._key_frame_requested = True

    def close(self) -> None:
        """Publish nothing more, and leave the room."""
        self._closing = True
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._publish()
        except StreamFailed as failure:
            self._on_failure(failure)
        finally:
            if self._session is not None:
                self._session.close()

    def _publish(self) -> None:
        self._begin()
        self._introduce()
        self._on_ready()
        while True:
            packet = self._next()
            if self._closing:
                return
            if packet is None:
                self._stay()
            elif packet.track.kind == "video" and not self._with_video:
                self._rejoin_with_video(packet)
            else:
                self._send(packet)
            if self._unreported or self.video.changed or self.audio.changed:
                self._report()
            self.cpu_seconds = time.thread_time()

    def _next(self) -> MediaPacket | None:
        """The next packet; none when none comes for a while."""
        return self._queue.pop(_IDLE_SECONDS)

    def _begin(self) -> None:
        """Wait for a track that says what is published, and join the room."""
        until: float | None = None
        # B-frames show in the first packets: what is refused for them is not seen to join.
        videos, needed = 0, _JUDGED_PACKETS if self._order.transcoding == "never" else 1
        while not self._closing:
            packet = self._next()
            if packet is not None:
                self._hold(packet)
                if packet.live or self._may_wait:
                    until = until or time.monotonic() + _VIDEO_GRACE_SECONDS
                videos += packet.track.kind == "video"
                if videos >= needed:
                    break
            if until is not None and time.monotonic() > until:
                break
        self._join(video=self.video.has_track)

    def _hold(self, packet: MediaPacket) -> None:
        if packet.track.kind == "video":
            self.video.hold(packet)

    def _join(self, *, video: bool) -> None:
        attempts = 0
        while not self._closing:
            try:
                self._session = WhipSession(self._order.publish_url, video=video, audio=True, epoch=_now())
            except StreamFailed:
                attempts += 1
                if attempts >= _ATTEMPTS:
                    raise
                time.sleep(_BETWEEN_ATTEMPTS_SECONDS * attempts)
            else:
                self._with_video = video
                break
        # What came meanwhile is old: it goes to the decoder, and viewers begin with a picture of now.
        while len(self._queue) > 1:
            held = self._next()
            if held is not None:
                self._hold(held)
        self.video.key_wanted = self._unreported = True
        self._report()

    def _introduce(self) -> None:
        """Have LiveKit announce the tracks of a source that waits, until a viewer who is on them asks for a picture."""
        until = time.monotonic() + _VIEWER_SECONDS
        session = self._session
        while session is not None and self._may_wait and not self._closing and time.monotonic() < until:
            if self._unreported:
                self._report()
            packet = self._queue.pop(_INTRODUCTION_SECONDS)
            if packet is not None:
                self._send(packet)
                if packet.live:
                    return  # it did not wait
                continue
            session.write_video(_NOTHING_SHOWN, _now(), key=False)
            session.write_audio(SILENCE, _now())
            if session.key_frame_requested:
                return

    def _rejoin_with_video(self, packet: MediaPacket) -> None:
        """Join again, as the same participant, because the offer of a session cannot be extended."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._hold(packet)
        self._join(video=True)

    def _send(self, packet: MediaPacket) -> None:
        session = self._session
        if session is None:
            return
        if not packet.live:
            self._hold(packet)
            return
        if packet.track.kind == "audio":
            for sound in self.audio.take(packet):
                session.write_audio(sound.data, sound.pts)
        else:
            if self._key_frame_requested or session.key_frame_requested:
                self._key_frame_requested = session.key_frame_requested = False
                self.video.key_wanted = True
            for unit in self.video.take(packet):
                session.write_video(unit.data, unit.pts, key=unit.key)
        self._written_at = time.monotonic()

    def _stay(self) -> None:
        if self._session is not None and time.monotonic() - self._written_at >= _IDLE_SECONDS:
            self._session.write_audio(SILENCE, _now())

    def _report(self) -> None:
        video, audio = self.video.state, self.audio.state
        if self._session is None or not self._first_report.due(video, audio):
            return
        self._unreported = self.video.changed = self.audio.changed = False
        self._on_change(video, audio)
