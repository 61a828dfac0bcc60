"""Decides whether a camera is bridged to its LiveKit room now: pure policy, without input or output."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from stagedoor.outputs.webrtc.settings import LINGER_SECONDS, CameraBridge

REMOVAL_REASONS: Final = frozenset({"PARTICIPANT_REMOVED", "ROOM_DELETED", "DUPLICATE_IDENTITY"})
"""LiveKit's disconnect reasons after which a camera does not rejoin by itself: an operator removed it, or another
participant joined with its identity, which LiveKit would remove in turn if the camera rejoined."""


@dataclass(slots=True)
class Need:
    """The need for a bridge of one connection of one camera. Times are seconds of a monotonic clock.

    A camera that was removed from its room rejoins when it connects again, when a participant joins after the room was
    empty for `linger`, or when a participant is in a new room of that name, which has another SID. Bans are not checked
    here.

    Attributes:
        linger: Seconds for which the need lasts after the last other participant has left.
        seen_at: When another participant was last in the room.
        _occupied: The SIDs of rooms of this name that other participants were in at the last evaluation.
        _removed_from: The SIDs of the rooms that the camera was removed from; `None` when it was not removed.
        _was_empty: Whether the room was empty for `linger` since the removal.
    """

    policy: CameraBridge
    linger: float = LINGER_SECONDS
    seen_at: float | None = None
    _occupied: AbstractSet[str] = frozenset()
    _removed_from: AbstractSet[str] | None = None
    _was_empty: bool = False

    def evaluate(self, now: float, occupied: AbstractSet[str]) -> bool:
        """Return whether the camera is to be bridged, given the SIDs of its rooms that other participants are in."""
        if occupied or self._occupied:
            self.seen_at = now
        self._occupied = occupied
        demanded = self.seen_at is not None and now - self.seen_at < self.linger
        if self._removed_from is not None:
            if occupied - self._removed_from or (occupied and self._was_empty):
                self._removed_from = None
            else:
                self._was_empty = self._was_empty or not demanded
                return False
        return self.policy == "always" or (self.policy == "demand" and demanded)

    def on_removed(self, room_sid: str | None) -> None:
        """Note that the camera was removed from the room that it had joined as `room_sid`. It may have been in a later
        one, which LiveKit's client does not report; so the rooms seen at the last evaluation count too."""
        self._removed_from = self._occupied | ({room_sid} if room_sid else set[str]())
        self._was_empty = False

    def changes_at(self) -> float | None:
        """When the result of `evaluate` may change without an event; `None` if it cannot."""
        return None if self._occupied or self.seen_at is None else self.seen_at + self.linger

    def reset(self, policy: CameraBridge) -> Need:
        """The need of the camera's next connection: the removal is forgotten, who was in the room is not."""
        return Need(policy, self.linger, self.seen_at, self._occupied)
