"""What is worth saying about a stream that goes on: for the log, and for the state that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """One peculiarity of a stream; each is noticed once.

    Attributes:
        code: Its kind, such as `audio_left_out`.
        sentence: The peculiarity, and what to change in the encoder.
        track: Which track it is of.
        codec: Of a track that is left out as a whole; empty of others.
    """

    code: str
    sentence: str
    track: Literal["video", "audio"]
    codec: str = ""
