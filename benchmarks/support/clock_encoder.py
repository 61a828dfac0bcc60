"""An encoder whose pictures show the time: URL SECONDS. 640x360 at 25 a second, a key frame every two, and a tone.

The time is that of the steady clock, which all processes of a machine share, when the picture is made; what follows,
encoding included, is delay.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from benchmarks.support.clock_picture import HEIGHT, WIDTH, draw

FPS: Final = 25
GROUP: Final = 50
_RATE: Final = 48_000
_SAMPLES: Final = 1_024
_OPTIONS: Final = {"g": str(GROUP), "preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}


def main(url: str, seconds: float) -> None:
    """Push at the pace of a camera."""
    random = np.random.default_rng(1)
    backdrop = random.integers(16, 235, (HEIGHT // 8, WIDTH // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    output: Any
    with av.open(url, "w", format="flv") as output:
        pictures = output.add_stream("libx264", rate=FPS, options=_OPTIONS)
        pictures.width, pictures.height, pictures.pix_fmt, pictures.bit_rate = WIDTH, HEIGHT, "yuv420p", 1_000_000
        sounds = output.add_stream("aac", rate=_RATE, layout="mono")
        began, sound_at = time.monotonic(), 0
        for number in range(int(seconds * FPS)):
            time.sleep(max(0.0, began + number / FPS - time.monotonic()))
            image = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            image[:HEIGHT] = np.roll(backdrop, number * 2, axis=1)
            draw(image[:HEIGHT], time.monotonic_ns() // 1_000_000 & 0xFFFF_FFFF)
            frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(pictures.encode(frame))
            while sound_at * FPS <= number * _RATE:
                tone = np.sin(np.arange(sound_at, sound_at + _SAMPLES) * (2 * np.pi * 1000 / _RATE))
                sound = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None] * 0.2, format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = _RATE, sound_at, Fraction(1, _RATE)
                output.mux(sounds.encode(sound))
                sound_at += _SAMPLES


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
