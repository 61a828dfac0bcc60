"""Scales frames: once for each size, however many viewers it has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakValueDictionary

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

_DECODES_OF_AN_APP: Final = 1
"""Frames of one app that are decoded at a time: the slowest legal ones then leave threads to other apps."""

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
        threads = max(2, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="scale")
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._sizes: dict[tuple[Slot, int], tuple[Slot, asyncio.Task[None], int]] = {}

    @asynccontextmanager
    async def scaled(self, source: Slot, width: int, app_id: str) -> AsyncGenerator[Slot]:
        """A slot with the frames of `source`, a room of the app, `width` pixels wide.

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
            work = asyncio.create_task(self._follow(source, target, width, app_id), name=f"scale-{width}")
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

    async def shrink(self, frame: Frame, width: int, app_id: str) -> Frame:
        """One frame of an app, no wider than `width` pixels. It waits for the app's share of the threads.

        Raises:
            ValueError: The frame cannot be decoded.
        """
        share = self._shares.get(app_id)
        if share is None:
            share = self._shares[app_id] = asyncio.Semaphore(_DECODES_OF_AN_APP)
        await share.acquire()
        loop = asyncio.get_running_loop()

        def give_back(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(share.release)

        work = self._threads.submit(shrink, frame.data, frame.size, width)
        work.add_done_callback(give_back)  # and not at a cancellation: a thread that has begun goes on
        data, size = await asyncio.wrap_future(work)
        return Frame(frame.number, frame.at, data, size)

    async def _follow(self, source: Slot, target: Slot, width: int, app_id: str) -> None:
        source.copies.add(target)
        try:
            while True:
                with source.view() as viewer, suppress(EndOfStream):
                    await self._copy(source, viewer, target, width, app_id)
                target.end()  # viewers that connect later see the next camera
        finally:
            source.copies.discard(target)

    async def _copy(self, source: Slot, viewer: Viewer, target: Slot, width: int, app_id: str) -> None:
        while True:
            frame = await viewer.next()
            try:
                made = await self.shrink(frame, width, app_id)
            except ValueError as error:
                _log.debug("frame_not_decodable", error=str(error))
                CAMERA_FRAMES_UNDECODABLE.inc()
                target.undecodable = True
                continue
            target.undecodable = False
            target.publish(made.at, made.data, made.size)
            if source.newest is None:
                target.newest = None  # a new viewer must not get the last frame of a camera that has left
