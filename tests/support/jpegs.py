"""JPEG frames as a camera makes them, and a camera that sends them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
import simplejpeg

from stagedoor.kernel.clock import now_ms
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import measure

Colour = tuple[int, int, int]
RED: Final[Colour] = (200, 30, 30)
GREEN: Final[Colour] = (30, 180, 30)
BLUE: Final[Colour] = (30, 30, 200)


def jpeg(width: int, height: int, colour: Colour, number: int = 0, sampling: str = "422") -> bytes:
    """A picture of one colour with a white bar over its upper half, that moves with the number.

    4:2:2 is what OV2640 and OV5640 make.
    """
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = colour
    left = number * 8 % width
    pixels[: height // 2, left : left + width // 8] = 255
    return simplejpeg.encode_jpeg(pixels, 85, colorsubsampling=sampling)


def broken(whole: bytes) -> bytes:
    """The same with an end in the middle: it passes every check that does not decode."""
    cut = whole[: len(whole) * 2 // 3] + b"\xff\xd9"
    measure(cut)
    return cut


@asynccontextmanager
async def sending(slot: Slot, fps: float, make: Callable[[int], bytes]) -> AsyncGenerator[None]:
    """A camera that sends the frames of `make`."""

    async def send() -> None:
        number = 0
        while True:
            data, size = measure(make(number))
            slot.publish(now_ms(), data, size)
            number += 1
            await asyncio.sleep(1 / fps)

    task = asyncio.create_task(send(), name="camera")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
