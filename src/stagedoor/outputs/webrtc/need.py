"""Whether a camera is to be in its LiveKit room now: pure policy, from who is there and what an operator did."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from stagedoor.outputs.webrtc.settings import CameraBridge

LINGER_SECONDS: Final = 10.0
"""A bridge stays so long after the last one has left: who reloads a page finds the camera still there."""

SENT_AWAY: Final = frozenset({"PARTICIPANT_REMOVED", "ROOM_DELETED", "DUPLICATE_IDENTITY"})
"""LiveKit's reasons after which a camera does not come back by itself: an operator ended it, or somebody else joined
with its identity, and to take it back would put them out in their turn."""


@dataclass(slots=True)
class Need:
    """One connection of one camera. Times are seconds of a clock that never goes back.

    A camera that was sent away comes back when it connects anew, when somebody comes to the room after nobody had been
    there for the time that bridges linger, or when somebody is in another life of the room. A ban is not known here.

    Attributes:
        seen_at: When somebody was in the room last.
    """

    policy: CameraBridge
    linger: float = LINGER_SECONDS
    seen_at: float | None = None
    _lives: AbstractSet[str] = frozenset()
    _sent_away: AbstractSet[str] | None = None
    _was_empty: bool = False

    def look(self, now: float, lives: AbstractSet[str]) -> bool:
        """Whether the camera is to be there, when the lives of its room that somebody else is in are these."""
        if lives or self._lives:
            self.seen_at = now
        self._lives = lives
        demanded = self.seen_at is not None and now - self.seen_at < self.linger
        if self._sent_away is not None:
            if lives - self._sent_away or (lives and self._was_empty):
                self._sent_away = None
            else:
                self._was_empty = self._was_empty or not demanded
                return False
        return self.policy == "always" or (self.policy == "demand" and demanded)

    def sent_away(self, life: str | None) -> None:
        """It was sent away from its room, which it had joined in this life. It may have been in a later one: LiveKit's
        client does not tell, so what was seen last counts too."""
        self._sent_away = self._lives | ({life} if life else set[str]())
        self._was_empty = False

    def changes_at(self) -> float | None:
        """When `look` may answer otherwise although nothing happens."""
        return None if self._lives or self.seen_at is None else self.seen_at + self.linger

    def anew(self, policy: CameraBridge) -> Need:
        """The same for the camera's next connection."""
        return Need(policy, self.linger, self.seen_at, self._lives)
