"""A room whose frames arrive from another node: which connection they belong to, and which of them are accepted."""

from __future__ import annotations

from stagedoor.streams.cluster.messages import Message, RemoteFrame
from stagedoor.streams.hub import Slot
from stagedoor.streams.jpeg import Size
from stagedoor.streams.placeholder import placeholder
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings


class RemoteStream:
    """A room that has viewers on this node.

    Args:
        slot: The slot that accepted frames are published to.
        settings: The settings of the room's app.

    Attributes:
        changes: The number of messages about the room's sender so far.
    """

    __slots__ = ("_last", "_lost", "_settings", "_slot", "_token", "changes")

    def __init__(self, slot: Slot, settings: AppSettings) -> None:
        self._slot = slot
        self._settings = settings.of(StreamSettings)
        self._token: str | None = None
        self._last = 0
        self._lost = False
        self.changes = 0

    def take(self, frame: RemoteFrame) -> None:
        """Publish a frame if it is newer than the last one and of the current connection: two cameras never mix."""
        if frame.token == self._token and frame.number > self._last:
            self._last = frame.number
            self._slot.publish(frame.at, frame.data, Size(frame.width, frame.height))

    def on_message(self, message: Message) -> None:
        """Handle a message that a camera of the room went online or offline on another node."""
        self.changes += 1
        if message.what == "online":
            self.follow(message.token)
        elif message.token == self._token:
            self.lose()

    def follow(self, token: str) -> bool:
        """Accept the frames of the connection with this token from now on; returns whether none has arrived yet, so
        that they have to be requested."""
        if token != self._token:
            self._token, self._last = token, 0
        self._lost = False
        if not self._slot.sending:
            self._slot.begin()
        return self._last == 0

    def lose(self) -> None:
        """Note that no camera sends: viewers wait for the app's `cameraResume`."""
        self._token = None
        if not self._lost:
            self._lost = True
            self._slot.clear(placeholder() if self._settings.placeholder else None, self._settings.resume)
