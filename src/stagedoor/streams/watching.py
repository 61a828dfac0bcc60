"""Whether a room is watched by others than its participants: each way out says who watches through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Watched = Literal["pictures", "media"]
"""Pictures are those of cameras; media is what participants publish."""


class Watching:
    """The viewers of all ways out."""

    def __init__(self) -> None:
        self._ways: list[tuple[Watched, Callable[[str], bool]]] = []

    def add(self, what: Watched, is_watched: Callable[[str], bool]) -> None:
        """Add a way out.

        Args:
            what: The kind of media that it shows.
            is_watched: Whether a room is watched through it, by the room's LiveKit name.
        """
        self._ways.append((what, is_watched))

    def is_watched(self, livekit_room: str, *, pictures: bool) -> bool:
        """Whether a viewer of the room's media is there, or, when it may have pictures, of those."""
        return any(
            is_watched(livekit_room)
            for what, is_watched in self._ways
            if what == "media" or (what == "pictures" and pictures)
        )
