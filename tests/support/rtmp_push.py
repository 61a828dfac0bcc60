"""Pushes test pictures and a tone with PyAV's FFmpeg: URL SECONDS VIDEO AUDIO [WIDTHxHEIGHT]."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from typing import Any, Final, cast

import av
import numpy as np

FPS: Final = 25
RATE: Final = 48_000
SAMPLES: Final = RATE // FPS
ENCODERS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:bframes=0"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
}


def main(url: str, seconds: float, video: str, audio: str, size: str = "320x240") -> None:
    width, height = map(int, size.split("x"))
    name, options = ENCODERS[video]
    output: Any
    with av.open(url, "w", format="flv") as output:
        pictures = output.add_stream(name, rate=FPS, options={"g": str(FPS), **options})
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        sounds = output.add_stream(audio, rate=RATE, layout="stereo")
        fifo = av.AudioFifo()
        resampler: Any = av.AudioResampler(format=sounds.codec_context.format.name)
        began = time.monotonic()
        for number in range(int(seconds * FPS)):
            time.sleep(max(0.0, began + number / FPS - time.monotonic()))
            image = np.full((height, width, 3), (number * 3 % 256, 80, 160), np.uint8)
            image[:, number * 4 % width :][:, :20] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(pictures.encode(frame.reformat(format="yuv420p")))
            at = np.arange(number * SAMPLES, (number + 1) * SAMPLES)
            tone = np.sin(at * 2 * np.pi * 1000 / RATE).astype(np.float32) * 0.2
            sound = av.AudioFrame.from_ndarray(np.stack((tone, tone)), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = RATE, number * SAMPLES, Fraction(1, RATE)
            fifo.write(sound)
            while (whole := cast("Any", fifo).read(sounds.codec_context.frame_size or 960)) is not None:
                output.mux(sounds.encode(resampler.resample(whole)[0]))
        output.mux(pictures.encode(None))
        output.mux(sounds.encode(None))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
