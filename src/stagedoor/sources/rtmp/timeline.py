"""The time of each tag: audio and video in step and never backwards, whatever the encoder's clock does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_GAP_MS: Final = 10_000
"""A step that is longer than the time that passed by more than this is a jump of the encoder's clock."""

_BACK_MS: Final = 500
"""Steps back that are no jump: an encoder that sends a little out of order."""

_HEADROOM_MS: Final = 1_000
"""From where a stream's times begin, so that what started a little earlier in the other track has a place."""

_LONGEST_STEP_MS: Final = 1_000
_HALF: Final = 1 << 31
_WRAP_24: Final = 1 << 24


@dataclass(slots=True)
class _Track:
    """A track's last message.

    Attributes:
        raw: Its time by the encoder's clock.
        exact: Its time by ours.
        floor: The earliest time that the next message may be given.
        step: Between the two messages before.
        at: When it came.
    """

    raw: int
    exact: int
    floor: int
    step: int
    at: int


class Timeline:
    """The clock of one stream.

    The encoder's times count modulo 2^32, or 2^24 with some. A clock that jumps, in the middle of a stream that goes
    on, is followed: the first track that jumps goes on where it is, and the others keep their distance to it.
    """

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    @property
    def now(self) -> int:
        """A time that nothing was given out after."""
        return max((track.floor for track in self._tracks.values()), default=0)

    def place(self, kind: int, raw: int, now: int, *, distinct: bool = True) -> int:
        """The time of a message.

        Args:
            kind: Its track.
            raw: Its time by the encoder's clock, modulo 2^32.
            now: When it came, in milliseconds of a clock that does not jump.
            distinct: Whether it must be later than the message before it in its track, as pictures must.
        """
        track = self._tracks.get(kind)
        if track is None:
            exact = self._begin(raw)
            track = self._tracks[kind] = _Track(raw, exact, 0, 0, now)
        else:
            self._advance(track, raw, now)
        given = max(track.exact, track.floor)
        track.floor = given + distinct
        return given

    def _begin(self, raw: int) -> int:
        """The place of a track's first message."""
        for other in self._tracks.values():
            apart = _signed(raw - other.raw)
            return other.exact + apart if abs(apart) <= LONGEST_GAP_MS else other.exact
        return min(raw, _HEADROOM_MS)

    def _advance(self, track: _Track, raw: int, now: int) -> None:
        step, passed = _signed(raw - track.raw), max(now - track.at, 0)
        longest = LONGEST_GAP_MS + passed
        if -_BACK_MS <= step <= longest:
            track.exact += step
            if 0 < step <= _LONGEST_STEP_MS:
                track.step = step
        elif 0 <= step + _WRAP_24 <= longest and track.raw < _WRAP_24:
            track.exact += step + _WRAP_24
        else:
            track.exact = self._after_jump(track, raw, passed)
        track.raw, track.at = raw, now

    def _after_jump(self, track: _Track, raw: int, passed: int) -> int:
        for other in self._tracks.values():
            apart = _signed(raw - other.raw)
            joined = other.exact + apart
            if other is not track and abs(apart) <= LONGEST_GAP_MS and joined >= track.exact - _BACK_MS:
                return joined
        return max(each.exact for each in self._tracks.values()) + max(track.step, passed, 1)


def _signed(difference: int) -> int:
    """A difference modulo 2^32 as the one nearest to zero."""
    return ((difference + _HALF) & 0xFFFF_FFFF) - _HALF
