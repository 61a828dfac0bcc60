"""The child process of one bridge, `python -m stagedoor.outputs.webrtc.child`: publishes JPEG frames as a video track.

A bridge is a process of its own because decoders, x264 and LiveKit's client are native code with untrusted input, and
because it takes a considerable share of a core. The process ends when its standard input does, so it does not outlive
Stagedoor when that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from typing import Final

import av
import msgspec
from livekit import rtc

from stagedoor.outputs.webrtc.encoder import Encoder, most_bits_per_second
from stagedoor.outputs.webrtc.picture import PictureDecoder, Undecodable
from stagedoor.outputs.webrtc.protocol import PREFIX_BYTES, Ack, EndOfStream, Joined, Order, Outcome, Published, Report

_CONNECT_SECONDS: Final = 15.0
_LEAVE_SECONDS: Final = 3.0
_HUNG_SECONDS: Final = 10
_ASKED_SECONDS: Final = 0.1
"""How long a viewer that requests a key frame waits for a new picture before the last one is sent again."""
_REPEAT_SECONDS: Final = 0.5
"""The longest time without a frame on the track."""


def _report(report: Report) -> None:
    line = memoryview(msgspec.json.encode(report) + b"\n")
    while line:
        line = line[os.write(sys.stdout.fileno(), line) :]


class _Input(asyncio.StreamReaderProtocol):
    """Standard input, which sets an event when it ends, also while no read is pending."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended
        self._reader = asyncio.StreamReader()
        super().__init__(self._reader)

    async def message(self) -> bytes:
        """Read the next message.

        Raises:
            asyncio.IncompleteReadError: The input has ended.
        """
        length = int.from_bytes(await self._reader.readexactly(PREFIX_BYTES), "big")
        return await self._reader.readexactly(length)

    def eof_received(self) -> bool | None:
        self._ended.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
        super().connection_lost(exc)


class Session:
    """One session of the camera's participant in its room."""

    def __init__(self, order: Order, frames: _Input) -> None:
        self._order = order
        self._input = frames
        self._room = rtc.Room()
        self._decoder = PictureDecoder()
        self._encoder: Encoder | None = None
        self._source: rtc.EncodedVideoSource | None = None
        self._last: av.VideoFrame | None = None
        self._key_wanted = False
        self._sent_at = 0.0
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def until(self, ended: asyncio.Event) -> str:
        """Join and publish until the room ends or `ended` is set; returns why the room was left."""
        self._room.on("disconnected", self._disconnected)  # pyright: ignore[reportUnknownMemberType]
        work = asyncio.create_task(self._work(), name="work")
        asked = asyncio.create_task(ended.wait(), name="asked")
        try:
            await asyncio.wait({work, asked, self._over}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return "left"
            if self._over.done():
                return self._over.result()
            error = work.exception()
            return "left" if isinstance(error, asyncio.IncompleteReadError) else f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(_HUNG_SECONDS)  # kills the process if native code hangs
            work.cancel()
            asked.cancel()
            await asyncio.wait({work, asked})
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._room.disconnect()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if not self._over.done():
            self._over.set_result(rtc.DisconnectReason.Name(reason))

    async def _work(self) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await self._room.connect(self._order.url, self._order.token, rtc.RoomOptions(auto_subscribe=False))
            _report(Joined(await self._room.sid))
        while True:
            reading = asyncio.ensure_future(self._input.message())
            try:
                while not (await asyncio.wait([reading], timeout=_ASKED_SECONDS))[0]:
                    self._repeat_last()
                jpeg = await reading
            finally:
                reading.cancel()
            _report(Ack(await self._take(jpeg)))

    async def _take(self, jpeg: bytes) -> Outcome:
        try:
            picture = self._last = self._decoder.decode(jpeg)
        except Undecodable:
            return "undecodable"
        if self._source is None:
            self._source = await self._publish(picture.width, picture.height)
        return self._send(self._source, picture)

    async def _publish(self, width: int, height: int) -> rtc.EncodedVideoSource:
        source = rtc.EncodedVideoSource(width, height)
        fps = self._order.max_fps
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=rtc.VideoCodec.H264,
            video_encoder=rtc.VideoEncoderBackend.ENCODER_BACKEND_PRE_ENCODED,
            video_encoding=rtc.VideoEncoding(max_bitrate=most_bits_per_second(width, height, fps), max_framerate=fps),
            simulcast=False,
        )
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        published = await self._room.local_participant.publish_track(track, options)
        _report(Published(published.sid))
        return source

    def _repeat_last(self) -> None:
        """Send the last picture again when a key frame is requested or the track has been silent. A camera may send one
        picture in ten seconds: a viewer that joins in between gets the last one, and LiveKit, which forwards a track
        only once it has packets, gets to know the track."""
        if self._source is None or self._last is None:
            return
        if self._asked(self._source) or time.monotonic() - self._sent_at >= _REPEAT_SECONDS:
            self._send(self._source, self._last)

    def _asked(self, source: rtc.EncodedVideoSource) -> bool:
        self._key_wanted |= source.take_feedback().keyframe_requested
        return self._key_wanted

    def _send(self, source: rtc.EncodedVideoSource, picture: av.VideoFrame) -> Outcome:
        encoder, now = self._encoder, time.monotonic()
        self._sent_at = now
        if encoder is None or (encoder.width, encoder.height) != (picture.width, picture.height):
            encoder = self._encoder = Encoder(picture.width, picture.height, self._order.max_fps)
        data, key = encoder.encode(picture, now, key=self._asked(source))
        accepted = source.capture_frame(
            rtc.EncodedVideoFrame(
                data,
                picture.width,
                picture.height,
                rtc.VideoCodec.H264,
                rtc.EncodedFrameType.ENCODED_FRAME_KEY if key else rtc.EncodedFrameType.ENCODED_FRAME_DELTA,
                timestamp_us=int(now * 1_000_000),
            )
        )
        # Frames that follow one that was not sent cannot be decoded without it.
        self._key_wanted = not accepted
        return "published" if accepted else "refused"


async def main() -> None:
    """Read the order from standard input and publish until the room or the input ends."""
    logging.getLogger("livekit").setLevel(logging.ERROR)  # each attempt to reconnect is a warning
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    frames = _Input(ended)
    await loop.connect_read_pipe(lambda: frames, sys.stdin)
    with contextlib.suppress(asyncio.IncompleteReadError):
        order = msgspec.json.decode(await frames.message(), type=Order)
        _report(EndOfStream((await Session(order, frames).until(ended))[:300]))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(main())
    os._exit(0)  # threads of LiveKit's client may keep the process alive
