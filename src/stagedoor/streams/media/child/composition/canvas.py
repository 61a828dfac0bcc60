"""The canvas: pictures are scaled into their rectangles, and only what has changed is drawn."""

# PyAV's annotations are incomplete.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from stagedoor.streams.media.child.composition.layout import Rect

_DARK: Final = (16 + 8, 128, 128)
"""Of the places where no picture is: dark grey, in Y, U and V."""

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a participant.

    Attributes:
        at: When it is shown, in microseconds of the monotonic clock.
        data: I420 without padding.
        turns: By how many quarters it is to be turned clockwise.
    """

    at: int
    width: int
    height: int
    data: memoryview
    turns: int = 0

    @property
    def seen(self) -> tuple[int, int]:
        """Width and height as it is to be seen."""
        return (self.height, self.width) if self.turns % 2 else (self.width, self.height)

    def picture(self) -> av.VideoFrame:
        """FFmpeg's form of it, not turned."""
        made = av.VideoFrame(self.width, self.height, "yuv420p")
        pixels, begin = np.frombuffer(self.data, np.uint8), 0
        for number, plane in enumerate(_planes(made)):
            height, width = _size(number, self.width, self.height)
            plane[:height, :width] = pixels[begin : begin + height * width].reshape(height, width)
            begin += height * width
        return made


class Canvas:
    """One picture that is drawn again and again.

    Args:
        width: Even.
        height: Even.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._pixels = np.zeros((height * 3 // 2, width), np.uint8)
        flat, luma = self._pixels.reshape(-1), width * height
        half = height // 2, width // 2
        self._planes: list[Plane] = [
            flat[:luma].reshape(height, width),
            flat[luma : luma * 5 // 4].reshape(half),
            flat[luma * 5 // 4 :].reshape(half),
        ]
        self._rects: Mapping[str, Rect] = {}
        self._drawn: dict[str, Frame] = {}
        self._scalers: dict[str, VideoReformatter] = {}
        self._clear()

    def arrange(self, rects: Mapping[str, Rect]) -> bool:
        """Have the pictures in these places from now on; returns whether they were in others."""
        if rects == self._rects:
            return False
        self._rects = rects
        self._scalers = {key: self._scalers.get(key) or VideoReformatter() for key in rects}
        self._drawn.clear()
        self._clear()
        return True

    def draw(self, key: str, frame: Frame) -> None:
        """Draw a picture in its place; nothing happens when it has none, or is there already."""
        rect = self._rects.get(key)
        if rect is None or self._drawn.get(key) is frame:
            return
        self._drawn[key] = frame
        turned = frame.turns % 2
        size = (rect.height, rect.width) if turned else (rect.width, rect.height)
        scaled = self._scalers[key].reformat(
            frame.picture(), *size, "yuv420p", interpolation=Interpolation.BILINEAR, threads=1
        )
        for number, plane in enumerate(_planes(scaled)):
            height, width = _size(number, *size)
            part = plane[:height, :width]
            self._part(number, rect)[:] = np.rot90(part, -frame.turns) if frame.turns else part

    def picture(self) -> av.VideoFrame:
        """What is on the canvas; it shares the canvas's memory."""
        return av.VideoFrame.from_numpy_buffer(self._pixels, "yuv420p")

    def _part(self, number: int, rect: Rect) -> Plane:
        half = 1 if number == 0 else 2
        x, y, width, height = rect.x // half, rect.y // half, rect.width // half, rect.height // half
        return self._planes[number][y : y + height, x : x + width]

    def _clear(self) -> None:
        for plane, value in zip(self._planes, _DARK, strict=True):
            plane[:] = value


def _planes(picture: av.VideoFrame) -> list[Plane]:
    return [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in picture.planes]


def _size(number: int, width: int, height: int) -> tuple[int, int]:
    return (height, width) if number == 0 else ((height + 1) // 2, (width + 1) // 2)
