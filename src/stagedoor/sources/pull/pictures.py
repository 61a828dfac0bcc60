"""Reads pictures from an HTTP answer, one after the other in one answer or one a request, and publishes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

import aiohttp

from stagedoor.kernel.clock import now_ms
from stagedoor.sources.cameras.close_codes import Close
from stagedoor.sources.cameras.intake import LARGEST_FRAME, Intake, Rejected
from stagedoor.sources.cameras.metrics import CAMERA_DROPPED
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.state import Video
from stagedoor.sources.pull.http_client import HttpClient, SourceFailed
from stagedoor.sources.pull.multipart import MultipartReader
from stagedoor.sources.pull.serving import Serving, serving_of
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import Size

POLL_SECONDS: Final = 1.0
"""Between two requests of a camera that answers with one picture."""

PICTURE_SECONDS: Final = 10.0
"""For the whole of one picture that is polled."""

ENDED: Final = Close(1000, "ended")
_FIRST_MEASURE_SECONDS: Final = 1.0
_MEASURE_SECONDS: Final = 10.0
"""Each measurement is a write to the database, which costs as much as some frames do."""
_UNSHOWN: Final = 5
"""So many pictures are refused, and none taken, before the state says so: the first one is often broken."""


class Publisher:
    """Publishes the pictures of one connection in its room, and says in the state what comes.

    Args:
        live: The publication.
        slot: The slot of its room.
        settings: The app's settings for cameras.

    Attributes:
        intake: Checks each picture, as one of a camera that pushes.
        failure: Why the last attempt to poll a picture failed; `None` when it did not.
    """

    def __init__(self, live: LiveIngress, slot: Slot, settings: CameraSettings) -> None:
        self._live = live
        self._slot = slot
        self.intake = Intake(slot, settings.max_fps, settings.max_frame_bytes, time.monotonic())
        self._size: Size | None = None
        self._bytes = 0
        self._at: int | None = None
        self.failure: str | None = None

    def take(self, picture: bytes) -> Close | None:
        """Publish a picture, or drop one that cannot be shown; returns why the connection is to end, if it is."""
        at = now_ms()
        outcome = self.intake.take(picture, time.monotonic(), at)
        if isinstance(outcome, Close):
            return outcome
        if outcome is None:
            self._at = at
            self._bytes += len(picture)
            newest = self._slot.newest
            if newest is not None and newest.size != self._size:
                self._show(newest.size)
        elif outcome.reason != "rate":
            self._explain(outcome)
        return None

    def refuse(self, count: int) -> None:
        """Count pictures that are larger than any app takes."""
        CAMERA_DROPPED.labels("too_big").inc(count)
        refused = Rejected("too_big", f"the frame has more than {LARGEST_FRAME} bytes")
        self.intake.refuse(refused, count)
        self._explain(refused)

    async def measure(self) -> None:
        """Say in the state what comes, soon and then every ten seconds, until cancelled."""
        then, frames, size, wait = time.monotonic(), 0, 0, _FIRST_MEASURE_SECONDS
        while True:
            await asyncio.sleep(wait)
            wait = _FIRST_MEASURE_SECONDS if self._at is None else _MEASURE_SECONDS
            now = time.monotonic()
            if self._at is not None:
                bitrate = round((self._bytes - size) * 8 / (now - then))
                fps = round((self.intake.frames - frames) / (now - then), 2)
                self._live.measured(video_bitrate=bitrate, fps=fps, last_frame_at=self._at)
            then, frames, size = now, self.intake.frames, self._bytes

    def _show(self, size: Size) -> None:
        first, self._size = self._size is None, size
        before = self._live.state.video or Video("mjpeg")
        video = replace(before, width=size.width, height=size.height)
        if first:
            self._live.published(video, None)
        else:
            self._live.has_changed(video, None)

    def _explain(self, refused: Rejected) -> None:
        if not self.intake.frames and self.intake.rejected == _UNSHOWN:
            setting = " The app's setting cameraMaxFrameBytes sets it." if refused.reason == "too_big" else ""
            words = f"No picture could be taken yet; of the last one: {refused.message}.{setting}"
            self._live.interrupted("pictures_refused", words)


async def read_multipart(answer: aiohttp.ClientResponse, serving: Serving, publisher: Publisher) -> Close:
    """Publish the pictures of one answer until it ends; returns why."""
    reader = MultipartReader(serving.boundary, LARGEST_FRAME)
    too_big = 0
    async for data in _body(answer, serving):
        for picture in reader.feed(data):
            why = publisher.take(picture)
            if why is not None:
                return why
        if reader.too_big != too_big:
            publisher.refuse(reader.too_big - too_big)
            too_big = reader.too_big
    return ENDED


async def _body(answer: aiohttp.ClientResponse, serving: Serving) -> AsyncGenerator[bytes]:
    yield serving.beginning
    async for data in answer.content.iter_any():
        yield data


async def poll(client: HttpClient, answer: aiohttp.ClientResponse, publisher: Publisher) -> Close:
    """Publish the picture that is the answer, and ask for the next one again and again; returns why that is to end.

    An attempt that fails does not end it; the silence that many of them make does.

    Raises:
        SourceFailed: Another attempt would only fail again.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    picture: bytes | None = await _picture(answer)
    while True:
        if picture is not None and (why := publisher.take(picture)) is not None:
            return why
        await asyncio.sleep(max(0.0, began + POLL_SECONDS - clock()))
        began = clock()
        picture = await _next_picture(client, publisher)


async def _next_picture(client: HttpClient, publisher: Publisher) -> bytes | None:
    try:
        async with client.get() as answer:
            serving = await serving_of(answer)
            if serving is None or serving.kind != "picture":
                raise no_picture(client, answer)
            picture = await _picture(answer)
    except SourceFailed as error:
        if not error.retry:
            raise
        publisher.failure = str(error)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        publisher.failure = f"The connection to {client.host} was lost: {str(error) or 'no answer'}."
    else:
        publisher.failure = None
        return picture
    return None


def no_picture(client: HttpClient, answer: aiohttp.ClientResponse) -> SourceFailed:
    """The failure of a camera that served pictures, and now something else."""
    kind = answer.headers.get("Content-Type", "something without a type")[:80]
    return SourceFailed("source_failed", f"{client.host} serves {kind} in place of pictures.", retry=True)


async def _picture(answer: aiohttp.ClientResponse) -> bytes:
    pieces = bytearray()
    async with asyncio.timeout(PICTURE_SECONDS):
        async for piece in answer.content.iter_any():
            pieces += piece
            if len(pieces) > LARGEST_FRAME:
                raise SourceFailed("source_failed", f"The picture has more than {LARGEST_FRAME} bytes.", retry=True)
    return bytes(pieces)
