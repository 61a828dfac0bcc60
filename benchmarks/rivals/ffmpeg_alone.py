"""FFmpeg's libraries alone, publishing a file by WHIP at its pace: H.264 is passed or encoded, AAC becomes Opus."""

# PyAV's annotations are incomplete.
# pyright: basic

from __future__ import annotations

import sys
import time
from fractions import Fraction
from typing import Any

import av


def main(file: str, url: str, token: str, video: str) -> None:
    source: Any = av.open(file)
    source.streams.video[0].codec_context.thread_count = 1
    for _ in range(10):  # one session in some fails at its first attempt
        out: Any = av.open(url, "w", format="whip", options={"authorization": token, "max_interleave_delta": "1"})
        picture = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "tune": "zerolatency", "crf": "24"})
        picture.width, picture.height = (1280, 720) if video == "x264" else (64, 64)
        picture.pix_fmt, picture.codec_context.thread_count = "yuv420p", 1
        sound = out.add_stream("libopus", rate=48_000, layout="stereo")
        try:
            out.start_encoding()
            break
        except OSError:
            time.sleep(0.3)
    resampler = av.AudioResampler("s16", "stereo", 48_000, 960)
    annex_b = av.BitStreamFilterContext("h264_mp4toannexb", source.streams.video[0])
    begun = time.monotonic()
    for packet in source.demux():
        if packet.dts is None:
            continue
        time.sleep(max(0.0, begun + float(packet.dts * packet.time_base) - time.monotonic()))
        if packet.stream.type == "audio":
            for frame in (made for heard in packet.decode() for made in resampler.resample(heard)):
                out.mux(sound.encode(frame))
        elif video == "x264":
            for frame in packet.decode():
                frame.pict_type, frame.time_base = 0, Fraction(1, 1000)
                out.mux(picture.encode(frame))
        else:
            for unit in annex_b.filter(packet):
                unit.stream = picture
                out.mux_one(unit)


if __name__ == "__main__":
    main(*sys.argv[1:])
