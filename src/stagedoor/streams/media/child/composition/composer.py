"""The input of a worker that composes a room: draws, mixes and encodes, a picture at a time.

Everything is composed for one moment, a little in the past: what the participants sent for that moment has come. So
picture and sound stay in step by the times that WebRTC gave them, whenever this process got them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from stagedoor.streams.media.child.composition.canvas import Canvas
from stagedoor.streams.media.child.composition.encoding import PictureEncoder, SoundEncoder
from stagedoor.streams.media.child.composition.layout import arrange
from stagedoor.streams.media.child.composition.mixer import mix
from stagedoor.streams.media.child.composition.sound import RATE
from stagedoor.streams.media.child.composition.stage import Stage
from stagedoor.streams.media.child.media import MediaPacket
from stagedoor.streams.media.child.mp4_audio import AAC_SAMPLES
from stagedoor.streams.media.protocol import CompositionInput, JoinTarget

_DELAY_US: Final = 200_000
"""How far in the past: frames of sound are 40 ms, and a busy machine hands them out some time later."""
_MOST_BEHIND_US: Final = 100_000
"""A picture that is later is left out, so that a busy machine makes fewer, and not old ones."""


class Composer:
    """Composes one room. Its packets are those of an encoder's stream."""

    def __init__(self, order: CompositionInput, target: JoinTarget) -> None:
        self._order = order
        self._stage = Stage(target, order.empty_seconds)
        self._closed = threading.Event()

    def packets(self) -> Iterator[MediaPacket]:
        """The packets of both tracks, in the order of their times, until the room is over.

        Raises:
            StreamFailed: The room cannot be joined, is over, or has no other participant any more.
        """
        stage, order = self._stage, self._order
        try:
            stage.joined.wait()
            canvas = Canvas(order.width, order.height)
            pictures = PictureEncoder(order.width, order.height, order.fps, order.video_bitrate)
            sounds = SoundEncoder()
            frame_us = 1_000_000 / order.fps
            begin, number = _now(), 0
            place = (begin - _DELAY_US) * RATE // 1_000_000
            while not self._closed.is_set() and stage.failure is None:
                due = begin + int(number * frame_us)
                if self._closed.wait(max(0, due - _now()) / 1_000_000):
                    return
                at = due - _DELAY_US
                while place + AAC_SAMPLES <= at * RATE // 1_000_000:
                    yield from sounds.encode(mix(stage.sounds(place, AAC_SAMPLES), AAC_SAMPLES), place)
                    place += AAC_SAMPLES
                self._draw(canvas, at)
                yield pictures.encode(canvas.picture(), at)
                late = _now() - due - _MOST_BEHIND_US
                number += 1 if late <= 0 else 2 + int(late / frame_us)
            if stage.failure is not None:
                raise stage.failure
        finally:
            stage.close()

    def close(self) -> None:
        """End `packets`, from another thread."""
        self._closed.set()

    def _draw(self, canvas: Canvas, at: int) -> None:
        frames = self._stage.frames(at)
        shown = [picture for picture, _ in frames.values()]
        rects = arrange(canvas.width, canvas.height, shown, self._order.layout, self._stage.speaker)
        if canvas.arrange(rects):
            self._stage.prefer(rects)
        for key in rects:
            canvas.draw(key, frames[key][1])


def _now() -> int:
    return time.monotonic_ns() // 1_000
