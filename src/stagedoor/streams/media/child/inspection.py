"""A look at a URL: what is there, and how it would be published. The pipelines that publish streams decide both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

from msgspec import structs

from stagedoor.streams.media.child.audio import AudioPipeline
from stagedoor.streams.media.child.limits import check_rates
from stagedoor.streams.media.child.media import MediaPacket, StreamFailed
from stagedoor.streams.media.child.url_input import UrlInput
from stagedoor.streams.media.child.video import VideoPipeline
from stagedoor.streams.media.protocol import Ended, Inspect, Inspected

_LEAST_SECONDS: Final = 3.0
"""A track may come this much later than the other one."""
_ENOUGH_KEY_FRAMES: Final = 3
_CLOSING_SECONDS: Final = 1.0
"""How long closing the source may take: a camera that is not asked to stop sends by UDP for a minute more."""
_LONG_GROUP_SECONDS: Final = 4.0
_EACH_IS_KEY: Final = "mjpeg"
"""The codec whose pictures do not depend on each other."""


class Inspection:
    """Looks at one URL, on threads of its own.

    Args:
        order: The URL, and how long it is looked at.
        report: Called once with what was found, from another thread.
    """

    def __init__(self, order: Inspect, report: Callable[[Inspected], None]) -> None:
        self._order = order
        self._report = report
        self._input = UrlInput(order.input)
        self._video = VideoPipeline("auto", order.limits)
        self._audio = AudioPipeline()
        self._pictures, self._sound = _Measured(), _Measured()
        self._key_frames: list[int] = []
        self._began: float | None = None
        self._failure: Ended | None = None
        self._late = False
        self._over = threading.Event()
        self._reading = threading.Thread(target=self._read, name="look at a URL", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._reading.start()
        threading.Thread(target=self._run, name="report on a URL", daemon=True).start()

    def _run(self) -> None:
        # A server can keep the reading thread for as long as it likes: it is not waited for.
        if not self._over.wait(self._order.most_seconds):
            self._late = True  # what fails from here on does so because the source is closed
            self._input.close()
            self._over.wait(_CLOSING_SECONDS)
        self._report(self._found())

    def _read(self) -> None:
        try:
            with closing(self._input.connection()) as packets:
                for packet in packets:
                    self._take(packet)
                    if self._has_seen_enough():
                        break
        except StreamFailed as failure:
            self._failure = None if self._late else failure.ended()
        except Exception as error:  # noqa: BLE001 - the report says so
            message = f"The source cannot be looked at: {type(error).__name__}."
            self._failure = Ended("source_failed", message, retry=False)
        finally:
            self._over.set()

    def _take(self, packet: MediaPacket) -> None:
        if self._began is None:
            self._began = time.monotonic()
        if packet.track.kind == "audio":
            self._audio.take(packet)
            self._sound.count(packet)
            return
        self._pictures.count(packet)
        if self._video.look(packet):
            self._key_frames.append(packet.dts)

    def _has_seen_enough(self) -> bool:
        seconds = time.monotonic() - (self._began or 0.0)
        if seconds < min(_LEAST_SECONDS, self._order.seconds):
            return False
        without_video_or_enough = not self._video.has_track or len(self._key_frames) >= _ENOUGH_KEY_FRAMES
        return without_video_or_enough or seconds >= self._order.seconds

    def _found(self) -> Inspected:
        pictures, sound, failure = self._pictures, self._sound, self._failure
        self._video.bitrate, self._audio.bitrate = pictures.bitrate, sound.bitrate
        video = self._video.state
        if video is not None and pictures.fps:
            video = structs.replace(video, fps=round(pictures.fps, 2))
        if failure is None:
            failure = self._limit_exceeded() if self._began is not None else self._nothing()
        return Inspected(
            transport=self._input.transport,
            format=self._input.format,
            finite=self._input.finite,
            video=video,
            audio=self._audio.state,
            b_frames=self._video.has_b_frames if self._video.has_track else None,
            key_frame_seconds=self._key_frame_seconds(),
            advice=self._advice(),
            failure=failure,
        )

    def _limit_exceeded(self) -> Ended | None:
        try:
            check_rates(self._order.limits, self._pictures.bitrate, self._pictures.fps)
        except StreamFailed as failure:
            return failure.ended()
        return None

    def _nothing(self) -> Ended:
        seconds = f"{self._order.most_seconds:.0f} seconds"
        return Ended("source_failed", f"The source sends no media within {seconds}.", retry=True)

    def _key_frame_seconds(self) -> float | None:
        if self._video.codec == _EACH_IS_KEY:
            return round(1 / self._pictures.fps, 2) if self._pictures.fps else None
        gaps = [later - earlier for earlier, later in zip(self._key_frames, self._key_frames[1:], strict=False)]
        return round(max(gaps) / 1_000_000, 2) if gaps else None

    def _advice(self) -> list[str]:
        advice = self._video.advice
        if advice or not self._video.has_track:
            return advice
        between = self._key_frame_seconds()
        if between is None and self._pictures.seconds < _LONG_GROUP_SECONDS:
            return []
        if between is not None and between <= _LONG_GROUP_SECONDS:
            return []
        seen = "a key frame only every" if between is not None else "no second key frame within"
        return [
            f"Set the key frame interval to 2 seconds: there was {seen} {between or self._pictures.seconds:.0f} s, and"
            " until the next one the video is transcoded for each viewer who joins."
        ]


class _Measured:
    """How much comes of a track, by its time stamps: a server may send at once what it has kept."""

    def __init__(self) -> None:
        self._first = self._last = 0
        self._packets = self._bytes = self._last_bytes = 0

    def count(self, packet: MediaPacket) -> None:
        if not self._packets:
            self._first = packet.dts
        self._last, self._last_bytes = packet.dts, len(packet.data)
        self._packets += 1
        self._bytes += len(packet.data)

    @property
    def seconds(self) -> float:
        return (self._last - self._first) / 1_000_000

    @property
    def fps(self) -> float:
        return (self._packets - 1) / self.seconds if self.seconds > 0 else 0.0

    @property
    def bitrate(self) -> int:
        return int((self._bytes - self._last_bytes) * 8 / self.seconds) if self.seconds > 0 else 0
