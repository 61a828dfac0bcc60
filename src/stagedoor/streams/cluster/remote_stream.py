"""A room whose frames come from another node: whose they are, and which of them are taken."""

from __future__ import annotations

from stagedoor.streams.cluster.messages import Carried, Message
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import Size
from stagedoor.streams.placeholder import placeholder
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings


class RemoteStream:
    """A room that is looked at here.

    Args:
        slot: Where its frames go.
        settings: Its app's.

    Attributes:
        words: How often it was told who sends.
    """

    __slots__ = ("_last", "_lost", "_settings", "_slot", "_token", "words")

    def __init__(self, slot: Slot, settings: AppSettings) -> None:
        self._slot = slot
        self._settings = settings.of(StreamSettings)
        self._token: str | None = None
        self._last = 0
        self._lost = False
        self.words = 0

    def take(self, frame: Carried) -> None:
        """Show a frame, if it is of the camera that sends now, and a new one: two cameras' never mix."""
        if frame.token == self._token and frame.number > self._last:
            self._last = frame.number
            self._slot.publish(frame.at, frame.data, Size(frame.width, frame.height))

    def hear(self, word: Message) -> None:
        """A camera came or went on another node."""
        self.words += 1
        if word.what == "came":
            self.follow(word.token)
        elif word.token == self._token:
            self.lose()

    def follow(self, token: str) -> bool:
        """Take the frames of the connection with this token from now on; whether one has to ask for them."""
        if token != self._token:
            self._token, self._last = token, 0
        self._lost = False
        if not self._slot.sending:
            self._slot.begin()
        return self._last == 0

    def lose(self) -> None:
        """Nobody sends: viewers wait for as long as their app has them wait."""
        self._token = None
        if not self._lost:
            self._lost = True
            self._slot.clear(placeholder() if self._settings.placeholder else None, self._settings.resume)
