"""The placeholder frame, which viewers see while a room has no camera."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from stagedoor.streams.hub import Frame
from stagedoor.streams.jpeg import measure


@lru_cache(maxsize=1)
def placeholder() -> Frame:
    """Load the placeholder frame, which all rooms share."""
    data, size = measure((Path(__file__).parent / "placeholder.jpg").read_bytes())
    return Frame(0, 0, data, size)
