"""Programs that push test pictures and a tone by RTMP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PUSH: Final = Path(__file__).with_name("rtmp_push.py")


def ffmpeg(url: str, seconds: float, *options: str, size: str = "320x240") -> list[str]:
    """FFmpeg, at the pace of a camera: 25 pictures a second, a key frame a second."""
    return [
        *("ffmpeg", "-v", "warning", "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25"),
        *("-re", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-t", str(seconds)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"),
        *(*options, "-f", "flv", url),
    ]


def gstreamer(sink: str, url: str, seconds: float, size: str = "320x240") -> list[str]:
    """GStreamer: `rtmp2sink` is its own, `rtmpsink` is librtmp.

    The sink keeps the pace. Live sources have their time stamps from a clock, and on a busy machine some come twice and
    the video begins late.
    """
    width, height = size.split("x")
    location = f"{url} live=1" if sink == "rtmpsink" else url
    return [
        *("gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={int(seconds * 25)}"),
        *(
            "!",
            f"video/x-raw,width={width},height={height},framerate=25/1",
            "!",
            "x264enc",
            "tune=zerolatency",
            "key-int-max=25",
        ),
        *("speed-preset=ultrafast", "!", "h264parse", "!", "queue", "!", "flvmux", "name=mux", "streamable=true"),
        *("!", sink, f"location={location}", "sync=true"),
        *("audiotestsrc", f"num-buffers={int(seconds * 48000 / 1024)}", "!"),
        *("audio/x-raw,rate=48000,channels=2", "!", "avenc_aac", "!", "aacparse", "!", "queue", "!", "mux."),
    ]


def pyav_push(url: str, seconds: float, video: str, audio: str, size: str = "320x240") -> list[str]:
    """FFmpeg 8 as PyAV has it, which knows enhanced RTMP."""
    return [sys.executable, str(PUSH), url, str(seconds), video, audio, size]
