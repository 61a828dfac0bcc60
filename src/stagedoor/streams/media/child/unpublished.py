"""The consumer in the publisher's place of a stream that is not published in a room: a composition, for its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.protocol import AudioState, CompositionInput, VideoState

_REASON: Final = "It is composed of the pictures of the room."
_AUDIO_RATE: Final = 48_000


@dataclass(slots=True)
class _Measured:
    bitrate: int | None = None


@dataclass(slots=True)
class _MeasuredVideo(_Measured):
    state: VideoState | None = None


class Unpublished:
    """Says what is composed, once it is.

    Args:
        composition: What was ordered.
        on_change: Called with the first picture.
    """

    def __init__(
        self, composition: CompositionInput, on_change: Callable[[VideoState | None, AudioState | None], None]
    ) -> None:
        self._composition = composition
        self._on_change = on_change
        self._begun = False
        self.dropped = 0
        self.video = _MeasuredVideo()
        self.audio = _Measured()

    @property
    def cpu_seconds(self) -> float:
        """What the process has used beside the thread that asks: the SDK decodes in threads of its own."""
        return time.process_time() - time.thread_time()

    def push(self, packet: MediaPacket) -> None:
        """Note that packets come."""
        if self._begun or packet.track.kind != "video":
            return
        self._begun = True
        one = self._composition
        video = VideoState("h264", "High", one.width, one.height, one.fps, one.video_bitrate, False, _REASON)
        self.video.state = video
        self._on_change(video, AudioState("aac", _AUDIO_RATE, 2, None, passthrough=False))

    def request_key_frame(self) -> None:
        """No participant watches this: a key frame comes every two seconds."""

    def close(self) -> None:
        """Nothing is to be ended."""
