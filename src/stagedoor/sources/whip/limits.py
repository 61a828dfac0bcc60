"""The limits of an app, as far as they can be kept for media that goes past Stagedoor to LiveKit.

LiveKit reports the size of each layer, which it knows from key frames, and neither the bits nor the frames of one
participant. So the size is looked at, and the bitrate is stated to the encoder in the answer (`b=TIAS`, RFC 3890),
which browsers keep.
"""

from __future__ import annotations

import re
from typing import Final

from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.sources.ingress.state import Video
from stagedoor.tenancy.nouns import App

_DEFAULT: Final = IngressSettings()
_VIDEO: Final = re.compile(rb"(?m)^m=video [^\r\n]*(\r?\n)(?:[ic]=[^\r\n]*\r?\n)*")


def limited(answer: bytes, app: App) -> bytes:
    """LiveKit's answer, with the app's `ingressMaxBitrate` for its video.

    The default is left out: a browser that sends 2.5 Mbit/s by itself takes the line as leave to send as much.
    """
    bits = app.settings.of(IngressSettings).max_bitrate
    if bits in {0, _DEFAULT.max_bitrate}:
        return answer
    return _VIDEO.sub(lambda found: found[0] + b"b=TIAS:%d" % bits + found[1], answer)


def exceeded(video: Video | None, app: App) -> str | None:
    """Which limit the video is beyond, as a sentence; `None` when it is within all that can be known."""
    settings = app.settings.of(IngressSettings)
    if video is None:
        return None
    for name, size, limit, setting in (
        ("wide", video.width, settings.max_width, "ingressMaxWidth"),
        ("high", video.height, settings.max_height, "ingressMaxHeight"),
    ):
        if size is not None and size > limit:
            return f"The video is {size} pixels {name}; the app's setting {setting} allows {limit}."
    return None
