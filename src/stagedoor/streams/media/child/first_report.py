"""When a stream is reported for the first time: with both of its tracks, if the second one follows soon."""

from __future__ import annotations

import time
from typing import Final

from stagedoor.streams.media.protocol import AudioState, VideoState

BOTH_SECONDS: Final = 0.3
"""How long the first report waits for the second track: encoders send both within 50 ms. The media does not wait."""


class FirstReport:
    """Whether it is time for it."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._due = False

    def due(self, video: VideoState | None, audio: AudioState | None) -> bool:
        """Whether to report now, given what is known of each track; true from the first time on.

        The wait begins with the first call.
        """
        if not self._due:
            now = time.monotonic()
            self._until = self._until or now + BOTH_SECONDS
            self._due = (video is not None and audio is not None) or now >= self._until
        return self._due
