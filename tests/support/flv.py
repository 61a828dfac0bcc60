"""FLV as encoders send it: pictures with a moving bar, a tone, and every peculiarity that a test wants."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from tests.support.jpegs import RED, Colour

HEADER: Final = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"


@dataclass(frozen=True)
class Tag:
    """One FLV tag with its back pointer."""

    data: bytes

    @property
    def kind(self) -> int:
        return self.data[0] & 0x1F

    @property
    def ms(self) -> int:
        return int.from_bytes(self.data[4:7], "big") | self.data[7] << 24

    @property
    def body(self) -> bytes:
        return self.data[11:-4]

    @property
    def is_header(self) -> bool:
        """Whether it configures a decoder: H.264's or AAC's sequence header."""
        return (self.kind == 9 and self.body[1:2] == b"\0" and self.body[0] & 15 == 7) or (
            self.kind == 8 and self.body[0] >> 4 == 10 and self.body[1:2] == b"\0"
        )

    def at(self, ms: int) -> Tag:
        """The same at another time."""
        return tag(self.kind, ms, self.body)


def tag(kind: int, ms: int, body: bytes) -> Tag:
    """Make a tag: 8 is audio, 9 video, 18 metadata."""
    ms &= 0xFFFFFFFF
    stamp = (ms & 0xFFFFFF).to_bytes(3, "big") + bytes((ms >> 24,))
    head = bytes((kind,)) + len(body).to_bytes(3, "big") + stamp + b"\0\0\0"
    return Tag(head + body + (len(head) + len(body)).to_bytes(4, "big"))


def split(data: bytes) -> list[Tag]:
    """The tags of a file."""
    tags: list[Tag] = []
    position = len(HEADER)
    while position + 15 <= len(data):
        end = position + 15 + int.from_bytes(data[position + 1 : position + 4], "big")
        tags.append(Tag(data[position:end]))
        position = end
    return tags


def picture(width: int, height: int, colour: Colour, number: int) -> av.VideoFrame:
    """A picture of a colour, with a bar above that moves."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = colour
    pixels[: height // 3] = 0
    column = number * 8 % (width - 16)
    pixels[: height // 3, column : column + 16] = 255
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def encode(
    seconds: float,
    *,
    size: tuple[int, int] = (320, 240),
    colour: Colour = RED,
    fps: int = 25,
    group: int = 50,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    b_frames: int = 0,
    video: bool = True,
    audio: str | None = "aac",
    rate: int = 48_000,
    channels: int = 2,
    paint: Callable[[int], av.VideoFrame] | None = None,
    sound: Callable[[int, int], np.ndarray[Any, Any]] | None = None,
) -> list[Tag]:
    """The tags of a stream, metadata first.

    Args:
        paint: Makes a picture, given its number.
        sound: Makes mono samples from -1 to 1, given the first one's number and how many.
    """
    file = io.BytesIO()
    out: Any = av.open(file, "w", format="flv", options={"flvflags": "no_duration_filesize"})
    streams: list[Any] = []
    if video:
        picturing = out.add_stream(codec, rate=fps, options=options or _options(codec, b_frames))
        picturing.width, picturing.height = size
        picturing.pix_fmt = pixels
        picturing.codec_context.gop_size = group
        picturing.codec_context.max_b_frames = b_frames
        streams.append((picturing, _pictures(seconds, fps, paint or (lambda n: picture(*size, colour, n)))))
    if audio:
        layout = "mono" if channels == 1 else "stereo"
        sounding = out.add_stream(audio, rate=rate, layout=layout)
        frame_size = {"aac": 1024, "libmp3lame": 1152}.get(audio, rate // 50)
        streams.append((sounding, _sounds(seconds, rate, layout, frame_size, sound or _tone(rate))))
    packets = [packet for stream, frames in streams for frame in (*frames, None) for packet in stream.encode(frame)]
    for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
        out.mux(packet)
    out.close()
    return sorted(split(file.getvalue()), key=lambda one: (not one.is_header and one.kind != 18, one.ms))


def _options(codec: str, b_frames: int) -> dict[str, str]:
    if codec == "libx264":
        tune = {} if b_frames else {"tune": "zerolatency"}
        return {"preset": "ultrafast", "sc_threshold": "0", "x264-params": f"bframes={b_frames}:b-adapt=0", **tune}
    return {"preset": "ultrafast"} if codec == "libx265" else {}


def _pictures(seconds: float, fps: int, paint: Callable[[int], av.VideoFrame]) -> Iterator[av.VideoFrame]:
    for number in range(int(seconds * fps)):
        frame = paint(number)
        frame.pts, frame.time_base = number, Fraction(1, fps)
        yield frame


def _tone(rate: int) -> Callable[[int, int], np.ndarray[Any, Any]]:
    return lambda first, count: 0.4 * np.sin(2 * np.pi * 1000 * np.arange(first, first + count) / rate)


def _sounds(
    seconds: float, rate: int, layout: str, size: int, sound: Callable[[int, int], np.ndarray[Any, Any]]
) -> Iterator[av.AudioFrame]:
    for first in range(0, int(seconds * rate), size):
        samples = (sound(first, size) * 32767).astype(np.int16)
        data = samples if layout == "mono" else np.repeat(samples, 2)
        frame = av.AudioFrame.from_ndarray(data.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        yield frame


async def play(
    tags: list[Tag],
    write: Callable[[bytes], None],
    *,
    drained: Callable[[], Awaitable[None]] | None = None,
    begun: float | None = None,
) -> None:
    """Write tags as time passes: each at its time stamp, from the smallest on."""
    start = begun if begun is not None else time.monotonic()
    first = min(one.ms for one in tags)
    for one in tags:
        wait = start + (one.ms - first) / 1000 - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        write(one.data)
        if drained is not None:
            await drained()
