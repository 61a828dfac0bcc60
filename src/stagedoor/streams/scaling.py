"""Scales frames: once for each size, however many viewers it has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from stagedoor.kernel.errors import TooMany
from stagedoor.kernel.exif import orientation_of, upright
from stagedoor.streams.hub import EndOfStream, Frame, Slot, Viewer
from stagedoor.streams.jpeg import Size
from stagedoor.streams.metrics import CAMERA_FRAMES_UNDECODABLE

_log = structlog.get_logger()

WIDEST: Final = 1_920
NARROWEST: Final = 16
_SIZES: Final = 8
"""Sizes of one room at a time: each costs a decoder's and an encoder's work for every frame."""

_QUALITY: Final = 80


def shrink(data: bytes, size: Size, width: int) -> tuple[bytes, Size]:
    """Scale a picture to `width` pixels as stored, then apply its EXIF orientation; narrower ones stay unchanged.

    Raises:
        ValueError: The frame cannot be decoded.
    """
    if size.width <= width:
        return data, size
    # They and NumPy take a seventh of a second to import, which no command and no start need wait for.
    import av
    import numpy as np
    import simplejpeg

    decode: Any = simplejpeg.decode_jpeg  # the library has no types
    encode: Any = simplejpeg.encode_jpeg
    height = max(1, round(size.height * width / size.width))
    # libjpeg-turbo decodes to an eighth, a quarter or a half for less than it takes to decode the whole.
    pixels = decode(data, colorspace="RGB", fastdct=True, min_width=width, min_height=height)
    picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(width=width, height=height)
    shown = np.ascontiguousarray(upright(picture.to_ndarray(), orientation_of(data)))
    made = encode(shown, quality=_QUALITY, colorspace="RGB", colorsubsampling="420")
    return made, Size(shown.shape[1], shown.shape[0])


class Scaler:
    """Keeps one scaled slot for each size that has viewers."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="scale")
        self._sizes: dict[tuple[Slot, int], tuple[Slot, asyncio.Task[None], int]] = {}

    @asynccontextmanager
    async def scaled(self, source: Slot, width: int) -> AsyncGenerator[Slot]:
        """A slot with the frames of `source`, `width` pixels wide.

        Raises:
            TooMany: The room is looked at in too many sizes.
        """
        key = (source, width)
        if key not in self._sizes:
            if sum(slot is source for slot, _ in self._sizes) >= _SIZES:
                raise TooMany(
                    f"This room is looked at in {_SIZES} sizes, which is the most.",
                    code="too_many_sizes",
                    headers={"Retry-After": "10"},
                )
            target = Slot()
            work = asyncio.create_task(self._follow(source, target, width), name=f"scale-{width}")
            self._sizes[key] = target, work, 0
        target, work, users = self._sizes[key]
        self._sizes[key] = target, work, users + 1
        try:
            yield target
        finally:
            target, work, users = self._sizes[key]
            if users > 1:
                self._sizes[key] = target, work, users - 1
            else:
                del self._sizes[key]
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work

    def undecodable(self, source: Slot, width: int) -> bool:
        """Whether the last frame of `source` could not be made so wide."""
        found = self._sizes.get((source, width))
        return found is not None and found[0].undecodable

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def shrink(self, frame: Frame, width: int) -> Frame:
        """One frame, no wider than `width` pixels.

        Raises:
            ValueError: The frame cannot be decoded.
        """
        loop = asyncio.get_running_loop()
        data, size = await loop.run_in_executor(self._threads, shrink, frame.data, frame.size, width)
        return Frame(frame.number, frame.at, data, size)

    async def _follow(self, source: Slot, target: Slot, width: int) -> None:
        source.copies.add(target)
        try:
            while True:
                with source.view() as viewer, suppress(EndOfStream):
                    await self._copy(source, viewer, target, width)
                target.end()  # viewers that connect later see the next camera
        finally:
            source.copies.discard(target)

    async def _copy(self, source: Slot, viewer: Viewer, target: Slot, width: int) -> None:
        while True:
            frame = await viewer.next()
            try:
                made = await self.shrink(frame, width)
            except ValueError as error:
                _log.debug("frame_not_decodable", error=str(error))
                CAMERA_FRAMES_UNDECODABLE.inc()
                target.undecodable = True
                continue
            target.undecodable = False
            target.publish(made.at, made.data, made.size)
            if source.newest is None:
                target.newest = None  # a new viewer must not get the last frame of a camera that has left
